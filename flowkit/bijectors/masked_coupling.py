"""Coupling under a mask over channels and positions."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Interval, Shape, sum_event
from flowkit.bijectors.conditioner import apply_conditioner, prepare_conditioner
from flowkit.bijectors.coupling import interval_with_kept
from flowkit.bijectors.parts import require_transform
from flowkit.constants import WithConstants
from flowkit.counts import require_counts
from flowkit.ops.broadcasting import broadcasts_to
from flowkit.ops.values import require_values
from flowkit.supports.interval import covers, exact_interval
from flowkit.transforms.affine import Affine
from flowkit.transforms.transform import Transform, split_parameters

__all__ = ["MaskedCoupling"]


class MaskedCoupling(WithConstants, Bijector[Tensor, Tensor]):
    r"""A coupling layer under a mask: elements with :math:`M = 1` are kept, and transform the others.

    .. math:: z = M \odot x + (1 - M) \odot T(x;\, \theta(M \odot x, c)), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_{M_i = 0} \log |T'(x_i)|.

    Kept elements leave exactly as they are. For a mask over whole channels :class:`~flowkit.Coupling` does the same
    without computing parameters that are not used.

    Args:
        mask: true for what is kept: a boolean tensor that broadcasts to the event shape and is neither all true nor
            all false; or a function from the event shape to one, as :class:`~flowkit.Checkerboard`,
            which may for some sizes keep all (the layer is then the identity) or nothing.
        conditioner: a module from :math:`M \odot x` (and the context, if there is one) to
            ``parameters_per_element`` channels for *every* channel of the input, interleaved. It may have
            ``prepare(context)``, as for :class:`~flowkit.Coupling`.
        transform: the elementwise transform; :class:`~flowkit.Affine` by default.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: a mask tensor that is not boolean, or keeps all or none; a transform without parameters; or (when
            called) a mask that does not broadcast to the event, or a conditioner's output of another number of
            channels.

    References:
        Dinh et al., *Density estimation using Real NVP*, ICLR 2017, eq. 9 and sec. 3.4.

    Examples:
        >>> from flowkit import Checkerboard, ZeroConv2d
        >>> layer = MaskedCoupling(Checkerboard(), ZeroConv2d(3, 6))
        >>> z, log_det = layer(torch.rand(5, 3, 4, 6))
        >>> z.shape, log_det.shape
        (torch.Size([5, 3, 4, 6]), torch.Size([5]))
    """

    mask: Tensor | Callable[[Shape], Tensor]

    def __init__(
        self,
        mask: Tensor | Callable[[Shape], Tensor],
        conditioner: nn.Module,
        transform: Transform | None = None,
        event_dims: int = 3,
    ) -> None:
        super().__init__()
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims
        self.conditioner = conditioner
        self.transform = Affine() if transform is None else transform
        require_transform(self.transform, "MaskedCoupling")
        if isinstance(mask, Tensor):
            require_values("a mask", mask)
            if mask.dtype != torch.bool or mask.all() or not mask.any():
                raise ValueError(
                    "a mask tensor is boolean, with both true and false, "
                    f"got {mask.dtype} with {int(mask.count_nonzero())} of {mask.numel()} true"
                )
            self.register_constant("mask", lambda: mask)
        else:
            self.mask = mask

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where a mask tensor does not broadcast to it."""
        if isinstance(self.mask, Tensor):
            _require_broadcast(self.mask.shape, shape)
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where a mask tensor does not broadcast to it."""
        return self.output_shape(shape)

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform where it maps an interval onto itself, else the real line: kept elements are free."""
        return interval_with_kept(self.transform, dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The same as :meth:`domain`."""
        return interval_with_kept(self.transform, dtype)

    def image_of(self, interval: Interval) -> Interval | None:
        """The same interval, which kept elements stay in; ``None`` where the transform takes more than that."""
        return interval if covers(interval, exact_interval(self.transform.domain)) else None

    def prepare(self, context: Any) -> Any:
        """What the conditioner computes from the context alone."""
        return prepare_conditioner(self.conditioner, context)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._under_mask(self.transform, self.transform.domain(x.dtype), x, prepared)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._under_mask(self.transform.inverse, self.transform.codomain(z.dtype), z, prepared)

    def _under_mask(self, direction: Callable[..., Any], interval: Interval, x: Tensor, prepared: Any) -> Any:
        mask = self._mask_for(x)
        raw = apply_conditioner(self.conditioner, x.where(mask, 0), prepared)
        count = self.transform.parameters_per_element
        raw = split_parameters(raw, count, self.event_dims, x.shape[-self.event_dims])
        # What is kept goes through the transform too, and is thrown away. Were a derivative infinite there, its
        # gradient would be 0 times infinity: an ordinary value under ordinary parameters has none such.
        parameters = self.transform.constrain(raw.masked_fill(mask.unsqueeze(-1), 0))
        y, log_derivative = direction(x.masked_fill(mask, _inside(interval)), parameters)
        log_derivative = log_derivative.expand_as(x).masked_fill(mask, 0)
        return x.where(mask, y), sum_event(log_derivative, self.event_dims)

    def _mask_for(self, x: Tensor) -> Tensor:
        if isinstance(self.mask, Tensor):
            return self.mask
        shape = x.shape[-self.event_dims :]
        mask = self.mask(shape)
        _require_broadcast(mask.shape, shape)
        return mask.to(x.device)


def _inside(interval: Interval) -> float:
    """A number well inside: 0 where possible."""
    lower, upper = interval
    if lower < 0 < upper:
        return 0.0
    if math.isfinite(lower):
        return (lower + upper) / 2 if math.isfinite(upper) else lower + 1
    return upper - 1


def _require_broadcast(mask: torch.Size, shape: Shape) -> None:
    if not broadcasts_to(mask, shape):
        raise ValueError(f"a mask of shape {tuple(mask)} does not broadcast to the event shape {tuple(shape)}")
