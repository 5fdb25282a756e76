"""A mean over a batch whose gradient is found a few samples at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["mean_in_parts"]

Function = Callable[[slice], Tensor]


def mean_in_parts(function: Function, samples: int, at_once: int, module: nn.Module) -> tuple[Tensor, Tensor]:
    r"""The mean over samples of a function, and its value for each, with the activations of a few samples at a time.

    .. math:: \ell = \frac{1}{B} \sum_{b=1}^B f_b(\theta)

    Each part's gradient is found at once and added up in place, so that memory is that of a part and not of the batch;
    and on a CPU a part that fits its caches is faster than the whole. The gradient is the same but for rounding.

    Args:
        function: from the part's slice of the batch to one number for each of its samples.
        samples: ``B``.
        at_once: samples in a part, >= 1; the last may have fewer.
        module: its parameters are those of which the gradient is wanted; the function calls it.

    Returns:
        The mean, to be differentiated once at most, and the ``B`` values without a gradient.

    Examples:
        >>> layer, x = nn.Linear(1, 1, bias=False), torch.arange(4.0)[:, None]
        >>> mean, values = mean_in_parts(lambda part: layer(x[part])[:, 0], 4, 2, layer)
        >>> mean.backward()
        >>> values.shape, layer.weight.grad
        (torch.Size([4]), tensor([[1.5000]]))
    """
    if at_once >= samples or not torch.is_grad_enabled():
        values = function(slice(0, samples))
        return values.mean(), values.detach()
    parts = [slice(start, min(start + at_once, samples)) for start in range(0, samples, at_once)]
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return _InParts.apply(_Holder(module), function, parts, list(parameters), *parameters.values())


class _Holder(nn.Module):
    """Calls functions of a module, whose parameters may be others for a call."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, function: Function, part: slice) -> Tensor:
        return function(part)


class _InParts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, holder: _Holder, function: Function, parts: list[slice], names: list[str], *parameters: Tensor
    ) -> tuple[Any, ...]:
        # Twins of the parameters collect the gradients in place: hooks on the parameters' own are not for parts.
        twins = {f"module.{n}": p.detach().requires_grad_() for n, p in zip(names, parameters, strict=True)}
        values = []
        for part in parts:
            with torch.enable_grad():
                of_part = functional_call(holder, twins, (function, part))
                (of_part.sum() / parts[-1].stop).backward()
            values.append(of_part.detach())
        ctx.gradients = [twin.grad for twin in twins.values()]
        ctx.mark_non_differentiable(every := torch.cat(values))
        return every.mean(), every

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        return None, None, None, None, *(None if gradient is None else gradient.mul_(grad) for gradient in gradients)
