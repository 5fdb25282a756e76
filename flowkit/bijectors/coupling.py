"""Coupling: half of the channels transforms the other half."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Interval, sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.nn.conditioner import apply_conditioner, prepare_conditioner
from flowkit.transforms import Affine, Transform, split_parameters

__all__ = ["Coupling"]


class Coupling(ChannelBijector):
    r"""A coupling layer: :math:`z_1 = x_1`, :math:`z_2 = T(x_2;\, \theta(x_1, c))` (RealNVP, Dinh et al. 2017).

    The first ``channels // 2`` channels are kept and set the parameters of the others' elementwise transform.

    Args:
        channels: number of channels, the first event dimension; at least 2, odd counts included.
        conditioner: a module from ``x_1`` (and the context, if there is one) to ``parameters_per_element`` times
            ``channels - channels // 2`` channels, interleaved. Any ``nn.Module`` will do; one that has
            ``prepare(context)`` gets that method's result in place of the context, computed once per context.
        transform: the elementwise transform; :class:`~flowkit.transforms.Affine` by default.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: fewer than 2 channels, or (when called) an input, or the conditioner's output, of another number.

    Examples:
        >>> layer = Coupling(5, nn.Linear(2, 2 * 3), event_dims=1)
        >>> x = torch.rand(7, 5)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    def __init__(
        self, channels: int, conditioner: nn.Module, transform: Transform | None = None, event_dims: int = 3
    ) -> None:
        super().__init__(channels, event_dims)
        if channels < 2:
            raise ValueError(f"channels is {channels}; a coupling needs at least 2, one to keep and one to transform")
        self.conditioner = conditioner
        self.transform = Affine() if transform is None else transform

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.codomain(dtype)

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
        count, changed = self.transform.parameters_per_element, self.channels - self.channels // 2
        return self.transform.constrain(split_parameters(raw, count, self.event_dims, changed))

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.channels // 2
        first, second = x.split([kept, self.channels - kept], dim=-self.event_dims)
        return first, second

    def _join(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat([kept.to(changed.dtype), changed], dim=-self.event_dims)

    def _log_det(self, log_derivative: Tensor, changed: Tensor) -> Tensor:
        return sum_event(log_derivative.expand_as(changed), self.event_dims)
