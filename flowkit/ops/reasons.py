"""The one question before a fast path: is there a reason to do it plainly?"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowkit.ops.private import is_wrapped, packing_is_available, transforms_are_active

__all__ = ["why_plain"]


def why_plain(x: Tensor, parameters: Sequence[Tensor], training: bool) -> str | None:
    """Why images have to be convolved by ``torch.nn.functional.conv2d``; ``None`` where a packed kernel may be used.

    Args:
        x: the images, ``batch x C x H x W``.
        parameters: what the kernel is made of.
        training: whether the layer is in training mode.

    Returns:
        The first reason that applies.

    Examples:
        >>> images, weight = torch.rand(1, 3, 8, 8), nn.Parameter(torch.rand(5, 3, 3, 3))
        >>> why_plain(images, [weight], training=False)
        'gradients are recorded'
        >>> with torch.no_grad():
        ...     why_plain(images.double(), [weight], training=False)
        'a tensor is torch.float64, not torch.float32'
    """
    if torch.compiler.is_compiling():
        return "the call is compiled"
    if training:
        return "the layer is in training mode, in which kernels change at each step"
    if torch.is_grad_enabled():
        return "gradients are recorded"
    if transforms_are_active():
        return "torch.func transforms the call"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    if not packing_is_available():
        return "this torch has no oneDNN operators, or they are switched off"
    if 0 in x.shape or x.shape[-2:] == (1, 1):
        return f"oneDNN's operators do not take images of shape {tuple(x.shape)} in all of their versions"
    if type(x) not in (Tensor, nn.Parameter):
        return f"the image is a {type(x).__name__}"
    if any(type(parameter) is not nn.Parameter for parameter in parameters):
        return "a kernel is made for each call, by a parametrisation, a hook or torch.func.functional_call"
    return next(filter(None, map(_why_not_ordinary, (x, *parameters))), None)


def _why_not_ordinary(x: Tensor) -> str | None:
    if is_wrapped(x):
        return "torch.func has wrapped a tensor"
    if x.device.type != "cpu":
        return f"a tensor is on {x.device}"
    if x.dtype != torch.float32:
        return f"a tensor is {x.dtype}, not torch.float32"
    if x.layout != torch.strided:
        return f"a tensor's layout is {x.layout}"
    return None
