"""Injector: the context alone transforms every channel."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Interval, sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.parts import require_transform
from flowkit.half_precision import cast_for
from flowkit.transforms import Affine, Transform, split_parameters

__all__ = ["Injector"]


class Injector(ChannelBijector):
    r"""An elementwise transform whose parameters come from the context: :math:`z = T(x;\, \theta(c))`.

    With the affine transform it is the affine injector of SRFlow.

    Args:
        channels: number of channels, the first event dimension.
        conditioner: a module from the context to ``parameters_per_element * channels`` channels, interleaved.
        transform: the elementwise transform; :class:`~flowkit.Affine` by default.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: there is no context, or the input or the conditioner's output has another number of channels.

    References:
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020, sec. 3.4.

    Examples:
        >>> import torch
        >>> layer = Injector(4, nn.Linear(2, 8), event_dims=1)
        >>> z, log_det = layer(torch.rand(7, 4), torch.rand(7, 2))
        >>> log_det.shape
        torch.Size([7])
    """

    def __init__(
        self, channels: int, conditioner: nn.Module, transform: Transform | None = None, event_dims: int = 3
    ) -> None:
        super().__init__(channels, event_dims)
        self.conditioner = conditioner
        self.transform = Affine() if transform is None else transform
        require_transform(self.transform, "Injector")

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.codomain(dtype)

    def prepare(self, context: Any) -> Any:
        """The transform's parameters: they depend on the context alone."""
        if context is None:
            raise ValueError("an Injector is conditional: pass context=, or bind(context) first")
        return self.parameters_from(self.conditioner(cast_for(self.conditioner, context)))

    def parameters_from(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The transform's parameters, from the conditioner's output.

        Args:
            raw: ``batch x (parameters_per_element * channels) x ...``, interleaved.

        Returns:
            A tensor of the event shape for each parameter.
        """
        count = self.transform.parameters_per_element
        return self.transform.constrain(split_parameters(raw, count, self.event_dims, self.channels))

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        # Expanding to the input, not to the result, refuses a context of more samples or positions than the input.
        z, log_derivative = self.transform(x, prepared)
        return z, sum_event(log_derivative, self.event_dims, like=x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x, log_derivative = self.transform.inverse(z, prepared)
        return x, sum_event(log_derivative, self.event_dims, like=z)
