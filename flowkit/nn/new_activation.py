"""Activations made by what a network is given for them."""

from collections.abc import Callable

from torch import nn

__all__ = ["new_activation"]


def new_activation(activation: Callable[[], nn.Module]) -> nn.Module:
    """A new activation.

    Args:
        activation: makes one when it is called without arguments, as :class:`torch.nn.ReLU` does.

    Returns:
        The activation.

    Raises:
        TypeError: it is an activation itself, or a function that applies one.

    Examples:
        >>> new_activation(nn.Tanh)
        Tanh()
    """
    if not isinstance(activation, nn.Module):
        try:
            made = activation()
        except TypeError as error:
            raise TypeError(f"activation is {_named(activation)}: {_ADVICE}") from error
        if isinstance(made, nn.Module):
            return made
    raise TypeError(f"activation is {_named(activation)}: {_ADVICE}")


_ADVICE = "give what makes one when it is called without arguments, as torch.nn.ReLU"


def _named(activation: object) -> str:
    if isinstance(activation, nn.Module):
        return f"a {type(activation).__name__}"
    return f"the function {getattr(activation, '__name__', activation)}"
