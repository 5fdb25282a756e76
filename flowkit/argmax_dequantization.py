"""From categories to a density: the argmax's inverse, drawn at random."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijector import Bijector, sum_event
from flowkit.bijectors.parts import require_bijector
from flowkit.distributions.distribution import normal_like
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.recorded import Recorded

__all__ = ["ArgmaxDequantization"]


class ArgmaxDequantization(Recorded, nn.Module):
    r"""Categories to real numbers whose largest one is the category: an argmax flow.

    A category :math:`x` of :math:`K` becomes :math:`K` numbers :math:`v` with :math:`\operatorname{argmax} v = x`. A
    flow is a density :math:`p(v)` over them, and

    .. math:: \log P(x) \ge \mathbb E_v[\log p(v) - \log q(v|x)], \qquad
              v_x = u_x, \quad v_k = u_x - \log(1 + e^{u_x - u_k}), \quad k \ne x, \qquad u = g(\varepsilon, x)

    with :math:`\varepsilon \sim N(0, I)` and ``g`` the inverse direction of a conditional bijector, trained together
    with the flow on that bound. Samples of the flow are categories by :meth:`quantize`. Unlike dequantisation, it knows
    no order among the categories.

    The ``K`` numbers of a category are next to each other along the first event dimension: those of entry ``c`` of
    a vector are ``c K`` to ``c K + K - 1``; of an image's channels likewise.

    Args:
        classes: how many categories ``K``, at least 2.
        bijector: ``g`` is its ``inverse``, noise to ``u``, both of the shape of ``v``; the context that it gets is
            ``x`` as zeros and ones, of that shape too. ``None`` for ``u`` the noise itself.
        event_dims: trailing dimensions of one ``x``: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: ``classes`` is under 2, the bijector has other event dimensions, or (when called) a category is not
            from 0 to ``classes - 1``.
        TypeError: the bijector is none, or (when called) categories are no integers.

    References:
        E. Hoogeboom, D. Nielsen, P. Jaini, P. Forré, M. Welling, "Argmax Flows and Multinomial Diffusion: Learning
        Categorical Distributions", NeurIPS 2021, sec. 3 and eq. 8 (thresholding by softplus).

    Examples:
        >>> dequantize = ArgmaxDequantization(classes=3)
        >>> x = torch.tensor([[0, 2], [1, 1]])
        >>> v, log_q = dequantize(x)
        >>> v.shape, log_q.shape, bool((dequantize.quantize(v) == x).all())
        (torch.Size([2, 6]), torch.Size([2]), True)
    """

    like: Tensor

    def __init__(self, classes: int, bijector: Bijector[Any, Any] | None = None, event_dims: int = 1) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classes is {classes}; an argmax chooses among 2 or more")
        if bijector is not None:
            require_bijector(bijector, "ArgmaxDequantization")
            if (bijector.event_dims, bijector.latent_event_dims) != (event_dims, event_dims):
                raise ValueError(
                    f"the bijector has {bijector.event_dims} event dimensions, the categories {event_dims}: set "
                    "event_dims"
                )
        self.classes = classes
        self.bijector = bijector
        self.event_dims = event_dims
        self.base = StandardNormal(event_dims)
        # Without a bijector nothing else would know the type that the module was converted to.
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw numbers whose argmax the categories are.

        Args:
            x: integers ``batch x event``, from 0 to ``classes - 1``.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``v``, its first event dimension ``classes`` times as long, and log q(v|x), one number per sample.
        """
        self._require_categories(x)
        like = self._like(x)
        chosen = self._spread(F.one_hot(x.long(), self.classes).bool())
        noise = normal_like(tuple(chosen.shape), like, generator)
        log_q = self.base.log_prob(noise)
        u = noise
        if self.bijector is not None:
            u, log_det = self.bijector.inverse(noise, chosen.to(like.dtype))
            log_q = log_q - log_det
        u, is_chosen = self._gathered(u), self._gathered(chosen)
        largest = u.where(is_chosen, 0.0).sum(-1, keepdim=True)
        gap = largest - u
        # However small the gap is beside the largest number, it is one: an argmax of equal numbers is any of them.
        rounding = (torch.finfo(u.dtype).eps * largest.abs()).clamp_min(torch.finfo(u.dtype).tiny)
        v = u.where(is_chosen, torch.minimum(largest - F.softplus(gap), largest - rounding))
        # The chosen number stays; the others' derivatives are those of the softplus.
        log_slopes = F.logsigmoid(gap).where(~is_chosen, 0.0).sum(-1)
        return self._spread(v), log_q - sum_event(log_slopes, self.event_dims)

    def quantize(self, v: Tensor) -> Tensor:
        """The categories of numbers, as a flow samples them.

        Args:
            v: ``batch x event``, its first event dimension a multiple of ``classes``.

        Returns:
            Integers, that dimension a ``classes``-th as long.
        """
        return self._gathered(v).argmax(-1)

    def _spread(self, values: Tensor) -> Tensor:
        """``... x C x ... x K`` to ``... x (C K) x ...``."""
        dim = values.ndim - 1 - self.event_dims
        return values.movedim(-1, dim + 1).flatten(dim, dim + 1)

    def _gathered(self, values: Tensor) -> Tensor:
        """``... x (C K) x ...`` to ``... x C x ... x K``."""
        dim = values.ndim - self.event_dims
        return values.unflatten(dim, (-1, self.classes)).movedim(dim + 1, -1)

    def _like(self, x: Tensor) -> Tensor:
        """A tensor of the type of the bijector's parameters, or of the module, on the device of the categories."""
        parameter = None if self.bijector is None else next(self.bijector.parameters(), None)
        return torch.zeros((), dtype=(self.like if parameter is None else parameter).dtype, device=x.device)

    def _require_categories(self, x: Tensor) -> None:
        if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
            raise TypeError(f"categories are integers, got a {x.dtype} tensor: convert it by x.long()")
        if x.numel() and not bool(((x >= 0) & (x < self.classes)).all()):
            raise ValueError(
                f"categories are numbers from 0 to {self.classes - 1}, got some from {int(x.min())} to {int(x.max())}"
            )
