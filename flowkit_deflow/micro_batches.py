"""A mean over a batch whose gradient is found a few samples at a time."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["mean_in_parts"]


def mean_in_parts(
    function: Callable[[slice], Tensor], samples: int, at_once: int, parameters: Iterable[Tensor]
) -> tuple[Tensor, Tensor]:
    r"""The mean over samples of a function, and its value for each, with the activations of a few samples at a time.

    .. math:: \ell = \frac{1}{B} \sum_{b=1}^B f_b(\theta)

    Each part's gradient is found at once and added up, so that memory is that of a part and not of the batch; and
    on a CPU a part that fits its caches is faster than the whole. The gradient is the same but for rounding.

    Args:
        function: from the part's slice of the batch to one number for each of its samples.
        samples: ``B``.
        at_once: samples in a part, >= 1; the last may have fewer.
        parameters: what the gradient is wanted of.

    Returns:
        The mean, to be differentiated once at most, and the ``B`` values without a gradient.

    Examples:
        >>> w, x = torch.tensor(2.0, requires_grad=True), torch.arange(4.0)
        >>> mean, values = mean_in_parts(lambda part: w * x[part], 4, 2, [w])
        >>> mean.backward()
        >>> values, w.grad
        (tensor([0., 2., 4., 6.]), tensor(1.5000))
    """
    if at_once >= samples or not torch.is_grad_enabled():
        values = function(slice(0, samples))
        return values.mean(), values.detach()
    parts = [slice(start, min(start + at_once, samples)) for start in range(0, samples, at_once)]
    return _InParts.apply(function, parts, *(p for p in parameters if p.requires_grad))


class _InParts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, function: Callable[[slice], Tensor], parts: list[slice], *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        gradients: list[Tensor | None] = [None] * len(parameters)
        values = []
        for part in parts:
            with torch.enable_grad():
                of_part = function(part)
                share = of_part.sum() / parts[-1].stop
                found = torch.autograd.grad(share, parameters, allow_unused=True)
            values.append(of_part.detach())
            for i, gradient in enumerate(found):
                if gradient is not None:
                    known = gradients[i]
                    gradients[i] = gradient if known is None else known.add_(gradient)
        ctx.gradients = gradients
        ctx.mark_non_differentiable(every := torch.cat(values))
        return every.mean(), every

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        return None, None, *(None if gradient is None else gradient.mul_(grad) for gradient in gradients)
