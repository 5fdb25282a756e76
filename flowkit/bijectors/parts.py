"""What layers and flows are made of: what else is given in its place is named, with what to do."""

from typing import Any

from torch import nn
from torch.distributions.transforms import Transform as TorchTransform

from flowkit.bijector import Bijector
from flowkit.transforms.transform import Transform

__all__ = ["require_bijector", "require_transform"]


def require_bijector(value: Any, taker: str) -> None:
    """Refuse what is no bijector.

    Args:
        value: what was given.
        taker: what takes it, for the message.

    Raises:
        TypeError: it is none.

    Examples:
        >>> require_bijector([], "Flow")
        Traceback (most recent call last):
        ...
        TypeError: Flow takes a bijector, got a list: join several by Chain([first, second, ...])
    """
    # By what it has, not by its class: a compiled module is none.
    if isinstance(value, nn.Module) and hasattr(value, "output_shape"):
        return
    name = type(value).__name__
    if isinstance(value, list | tuple):
        hint = f"a {name}: join several by Chain([first, second, ...])"
    elif isinstance(value, type) and issubclass(value, nn.Module):
        hint = f"the class {value.__name__}: make one, {value.__name__}(...)"
    elif isinstance(value, Transform):
        hint = f"the elementwise transform {name}: make a bijector of it by Elementwise({name}(...))"
    elif isinstance(value, TorchTransform):
        hint = (
            f"torch's {name}: take it by flowkit.interop.torch_transforms.FromTorchTransform, whose direction differs"
        )
    elif isinstance(value, nn.Module):
        hint = f"the module {name}: derive it from Bijector"
    else:
        hint = f"{name}: derive it from Bijector"
    raise TypeError(f"{taker} takes a bijector, got {hint}")


def require_transform(value: Any, taker: str) -> None:
    """Refuse what is no elementwise transform whose parameters a network could set.

    Args:
        value: what was given.
        taker: the layer that takes it, for the message.

    Raises:
        TypeError: it is no transform.
        ValueError: it has no parameters.

    Examples:
        >>> from flowkit.transforms.affine import Affine
        >>> require_transform(Affine(), "Coupling")
    """
    if isinstance(value, Transform):
        if not value.parameters_per_element:
            raise ValueError(f"{type(value).__name__} has no parameters for a conditioner to set: use Elementwise")
        return
    if isinstance(value, type) and issubclass(value, Transform):
        got = f"the class {value.__name__}: make one, {value.__name__}()"
    elif isinstance(value, Bijector):
        got = f"the bijector {type(value).__name__}: the network sets what happens to each element, as by Affine()"
    else:
        got = f"a {type(value).__name__}: take Affine(), RationalQuadraticSpline() or derive yours from Transform"
    raise TypeError(f"{taker} takes an elementwise transform, got {got}")
