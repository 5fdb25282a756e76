"""Networks in half precision among layers that compute in float32."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.ops.precision import HALF, at_least_float32

__all__ = [
    "cast_for",
    "first_parameter",
    "full_precision_state",
    "in_full_precision",
    "map_floating",
    "map_tensors",
    "mixes_precisions",
    "require_alike",
]


def first_parameter(module: nn.Module) -> nn.Parameter | None:
    """A parameter of a module, whose type and device stand for the others'; ``None`` where it has none.

    Args:
        module: any module.

    Examples:
        >>> first_parameter(nn.Linear(2, 2)).shape, first_parameter(nn.Identity())
        (torch.Size([2, 2]), None)
    """
    # Not by module.parameters(): its search for duplicates takes longer than a small layer.
    for parameter in module._parameters.values():
        if parameter is not None:
            return parameter
    for child in module._modules.values():
        parameter = None if child is None else first_parameter(child)
        if parameter is not None:
            return parameter
    return None


def require_alike(module: nn.Module, **values: Any) -> None:
    """Refuse float64 values for other parameters, float32 values for float64 ones, and values on another device.

    Products mix neither.

    Args:
        module: what takes the values; its first parameter stands for all.
        values: tensors, by their names in the message; what is no tensor of floating-point numbers is not looked at.

    Raises:
        TypeError: the precisions differ.
        ValueError: the devices differ.

    Examples:
        >>> require_alike(nn.Linear(2, 2), data=torch.zeros(1, 2))
    """
    parameter = first_parameter(module)
    for name, value in values.items():
        if parameter is None or not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        if mixes_precisions(value.dtype, parameter.dtype):
            raise TypeError(_differs(name, "", value.dtype, parameter.dtype))
        if value.device != parameter.device:
            raise ValueError(_differs(name, "on ", f"'{value.device}'", f"'{parameter.device}'"))


def mixes_precisions(value: torch.dtype, parameter: torch.dtype) -> bool:
    """Whether values are float64 where the parameters are not, or float32 where those are: products of the two fail.

    Args:
        value: that of data or of a context.
        parameter: that of the parameters.

    Examples:
        >>> mixes_precisions(torch.float64, torch.float32), mixes_precisions(torch.bfloat16, torch.float64)
        (True, False)
    """
    return value != parameter and (value == torch.float64 or {value, parameter} == {torch.float32, torch.float64})


def _differs(name: str, on: str, theirs: object, own: object) -> str:
    return (
        f"the {name} is {on}{theirs} and the parameters of this flow are {on}{own}: convert the {name} by "
        f"{'x' if name == 'data' else name}.to({own}), or the flow by flow.to({theirs})"
    )


def cast_for(network: object, value: Any) -> Any:
    """What a network is given, in the type of its parameters where that is half precision: products do not mix types.

    Args:
        network: any module; what is none gets the value as it is.
        value: a floating-point tensor, a tuple of values, or anything else, which stays as it is.

    Returns:
        The value, of the same structure.

    Examples:
        >>> cast_for(nn.Linear(2, 2).bfloat16(), torch.ones(1, 2)).dtype
        torch.bfloat16
    """
    parameter = first_parameter(network) if isinstance(network, nn.Module) else None
    if parameter is None or parameter.dtype not in HALF:
        return value
    dtype = parameter.dtype
    return map_floating(lambda tensor: tensor.to(dtype), value)


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to the tensors of a value.

    Args:
        function: from tensor to tensor.
        value: a tensor, a tuple, list or dict of values, or anything else, which stays as it is.

    Returns:
        A value of the same structure.

    Examples:
        >>> map_tensors(torch.neg, {"a": [torch.ones(1), None], "b": (torch.zeros(0),)})
        {'a': [tensor([-1.]), None], 'b': (tensor([]),)}
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: map_tensors(function, part) for key, part in value.items()}
    if isinstance(value, list):
        return [map_tensors(function, part) for part in value]
    if isinstance(value, tuple):
        parts = [map_tensors(function, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def map_floating(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to the floating-point tensors of a value; otherwise as :func:`map_tensors`.

    Args:
        function: from tensor to tensor.
        value: of any structure.

    Returns:
        A value of the same structure.

    Examples:
        >>> map_floating(torch.neg, (torch.ones(1), torch.ones(1, dtype=torch.int64), "a"))
        (tensor([-1.]), tensor([1]), 'a')
    """
    return map_tensors(lambda tensor: function(tensor) if tensor.is_floating_point() else tensor, value)


def full_precision_state(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a network in half precision, as float32; nothing for any other network.

    Args:
        network: any module.

    Returns:
        Name to tensor; gradients flow back to the network's own.

    Examples:
        >>> list(full_precision_state(nn.Linear(2, 2).half())), full_precision_state(nn.Linear(2, 2))
        (['weight', 'bias'], {})
    """
    parameter = first_parameter(network)
    if parameter is None or parameter.dtype not in HALF:
        return {}
    return {name: at_least_float32(t) for name, t in (*network.named_parameters(), *network.named_buffers())}


def in_full_precision(network: nn.Module) -> Callable[..., Tensor]:
    """A network whose parameters are read as float32 where they are half, for layers that repeat or invert it.

    Where its result is rounded to half precision, a search for the inverse ends at no point, and the steps of a solver
    at none that its error allows.

    Args:
        network: any module.

    Returns:
        What is called as the network.

    Examples:
        >>> in_full_precision(nn.Linear(2, 2).bfloat16())(torch.ones(1, 2)).dtype
        torch.float32
    """
    state = full_precision_state(network)
    if not state:
        return network
    return lambda *given: torch.func.functional_call(network, state, map_floating(at_least_float32, given))
