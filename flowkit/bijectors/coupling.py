"""Coupling: some of the channels transform the others."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import REAL_LINE, Interval, sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.conditioner import apply_conditioner, prepare_conditioner
from flowkit.bijectors.parts import require_transform
from flowkit.constants import WithConstants
from flowkit.ops.values import require_values
from flowkit.supports.interval import covers, exact_interval
from flowkit.transforms.affine import Affine
from flowkit.transforms.transform import Transform, split_parameters

__all__ = ["Coupling", "interval_with_kept"]


class Coupling(WithConstants, ChannelBijector):
    r"""A coupling layer: some channels are kept and set the parameters of the others' elementwise transform.

    .. math:: z_K = x_K, \qquad z_i = T(x_i;\, \theta_i(x_K, c)) \text{ for } i \notin K, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_{i \notin K} \log |T'(x_i)|.

    With :class:`~flowkit.Affine` it is that of RealNVP and Glow, with :class:`~flowkit.Additive` that of NICE, with
    :class:`~flowkit.RationalQuadraticSpline` that of neural spline flows. A mask over positions, not channels, is
    :class:`~flowkit.MaskedCoupling`'s.

    Args:
        channels: number of channels, the first event dimension; at least 2, odd counts included.
        conditioner: a module from ``x_K`` (and the context, if there is one) to ``parameters_per_element`` times
            as many channels as are transformed, interleaved. Any ``nn.Module`` will do; one that has
            ``prepare(context)`` gets that method's result in place of the context, computed once per context.
        transform: the elementwise transform; :class:`~flowkit.Affine` by default.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.
        mask: ``channels`` booleans, a sequence or a tensor, true for the channels that are kept; at least one of
            each. ``None`` keeps the first ``channels // 2``. Fastest where the kept channels are the first or last.

    Raises:
        ValueError: fewer than 2 channels; a mask of another length or type, or that keeps all or none; a transform
            without parameters; or (when called) an input, or the conditioner's output, of another number of channels.

    References:
        Dinh et al., *NICE*, ICLR workshop 2015, sec. 3.2 (additive); Dinh et al., *Density estimation using Real
        NVP*, ICLR 2017, eq. 4-8 (affine); Durkan et al., *Neural spline flows*, NeurIPS 2019, sec. 3 (spline).

    Examples:
        >>> layer = Coupling(5, nn.Linear(2, 2 * 3), event_dims=1)
        >>> x = torch.rand(7, 5)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
        >>> layer = Coupling(3, nn.Linear(2, 2 * 1), event_dims=1, mask=[True, False, True])
        >>> (layer(x[:, :3])[0] == x[:, :3]).all(0)
        tensor([ True, False,  True])
    """

    # Where the kept channels are, those that change, and each channel's place in the two joined; None where a cut
    # in two does.
    kept_index: Tensor | None
    changed_index: Tensor | None
    join_index: Tensor | None

    def __init__(
        self,
        channels: int,
        conditioner: nn.Module,
        transform: Transform | None = None,
        event_dims: int = 3,
        mask: Sequence[bool] | Tensor | None = None,
    ) -> None:
        super().__init__(channels, event_dims)
        if channels < 2:
            raise ValueError(f"channels is {channels}; a coupling needs at least 2, one to keep and one to transform")
        self.conditioner = conditioner
        self.transform = Affine() if transform is None else transform
        require_transform(self.transform, "Coupling")
        is_kept = [c < channels // 2 for c in range(channels)] if mask is None else _as_booleans(mask, channels)
        kept = [c for c in range(channels) if is_kept[c]]
        changed = [c for c in range(channels) if not is_kept[c]]
        self._kept_first = is_kept[0]
        self._sizes = (len(kept), len(changed)) if self._kept_first else (len(changed), len(kept))
        self._changed = len(changed)
        cut = kept + changed if self._kept_first else changed + kept
        whole = cut == list(range(channels))
        # They follow from the constructor's arguments, so that they are no part of the state.
        for name, index in (("kept_index", kept), ("changed_index", changed), ("join_index", _argsort(kept + changed))):
            if whole:
                self.register_buffer(name, None, persistent=False)
            else:
                self.register_constant(name, partial(torch.tensor, index))

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform where it maps an interval onto itself, else the real line: kept channels are free."""
        return interval_with_kept(self.transform, dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The same as :meth:`domain`."""
        return interval_with_kept(self.transform, dtype)

    def image_of(self, interval: Interval) -> Interval | None:
        """The same interval, which kept channels stay in; ``None`` where the transform takes more than that."""
        return interval if covers(interval, exact_interval(self.transform.domain)) else None

    def prepare(self, context: Any) -> Any:
        """What the conditioner computes from the context alone."""
        return prepare_conditioner(self.conditioner, context)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        kept, changed = self._split(x)
        changed, log_derivative = self.transform(changed, self._parameters_from(kept, prepared))
        return self._join(kept, changed), self._log_det(log_derivative, changed)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        kept, changed = self._split(z)
        changed, log_derivative = self.transform.inverse(changed, self._parameters_from(kept, prepared))
        return self._join(kept, changed), self._log_det(log_derivative, changed)

    def _parameters_from(self, kept: Tensor, prepared: Any) -> tuple[Tensor, ...]:
        raw = apply_conditioner(self.conditioner, kept, prepared)
        count = self.transform.parameters_per_element
        return self.transform.constrain(split_parameters(raw, count, self.event_dims, self._changed))

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        dim = -self.event_dims
        if self.kept_index is not None and self.changed_index is not None:
            return x.index_select(dim, self.kept_index), x.index_select(dim, self.changed_index)
        first, second = torch.split_with_sizes(x, self._sizes, dim)
        return (first, second) if self._kept_first else (second, first)

    def _join(self, kept: Tensor, changed: Tensor) -> Tensor:
        dim, kept = -self.event_dims, kept.to(changed.dtype)
        if self.join_index is not None:
            return torch.cat([kept, changed], dim).index_select(dim, self.join_index)
        return torch.cat([kept, changed] if self._kept_first else [changed, kept], dim)

    def _log_det(self, log_derivative: Tensor, changed: Tensor) -> Tensor:
        return sum_event(log_derivative, self.event_dims, like=changed)


def interval_with_kept(transform: Transform, dtype: torch.dtype) -> Interval:
    """The interval of values that a layer takes, and gives, that transforms some elements and keeps the others.

    Args:
        transform: the transform of those that are not kept.
        dtype: floating-point type of the values.

    Returns:
        The transform's interval if it maps that onto itself. Otherwise the real line: no interval other than that
        holds the elements that are kept before and after.

    Examples:
        >>> interval_with_kept(Affine(), torch.float32)
        (-inf, inf)
    """
    domain = transform.domain(dtype)
    return domain if domain == transform.codomain(dtype) else REAL_LINE


def _as_booleans(mask: Sequence[bool] | Tensor, channels: int) -> list[bool]:
    tensor = torch.as_tensor(mask, device=mask.device if isinstance(mask, Tensor) else "cpu")
    require_values("a mask", tensor)
    if tensor.dtype != torch.bool or tensor.shape != (channels,):
        raise ValueError(
            f"a mask over {channels} channels is {channels} booleans, got {tensor.dtype} of shape {tuple(tensor.shape)}"
        )
    if tensor.all() or not tensor.any():
        raise ValueError(f"the mask keeps {int(tensor.sum())} of {channels} channels; it has to keep and to leave some")
    return tensor.tolist()


def _argsort(values: list[int]) -> list[int]:
    return sorted(range(len(values)), key=values.__getitem__)
