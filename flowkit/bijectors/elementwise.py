"""An elementwise transform with parameters of its own."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Interval, Shape, sum_event
from flowkit.bijectors.chaining import ends_mapped
from flowkit.ops.broadcasting import broadcasts_to
from flowkit.transforms import Transform

__all__ = ["Elementwise"]


class Elementwise(Bijector[Tensor, Tensor]):
    r"""An elementwise transform with learnable parameters that depend on nothing.

    .. math:: z_i = T(x_i;\, \theta_i), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_i \log |T'(x_i;\, \theta_i)|

    The parameters start at 0, which is the identity for the affine and spline transforms.

    Args:
        transform: the elementwise transform; one without parameters (a sigmoid, an exponential) gets none.
        shape: shape of the parameters, broadcast against the event: ``()`` for one set that all elements share,
            ``(C,)`` for each element of a vector, ``(C, 1, 1)`` for each channel of an image.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``shape`` has more dimensions than the event, or (when called) does not broadcast to it.

    References:
        Papamakarios et al., Normalizing flows for probabilistic modeling and inference, 2021, sec. 3.1.1.

    Examples:
        >>> from flowkit import Affine
        >>> layer = Elementwise(Affine(), shape=(3,))
        >>> layer.raw.shape
        torch.Size([3, 2])
        >>> z, log_det = layer(torch.ones(5, 3))
        >>> bool((z == 1).all()), log_det.shape
        (True, torch.Size([5]))
    """

    takes_context = False

    def __init__(self, transform: Transform, shape: Sequence[int] = (), event_dims: int = 1) -> None:
        super().__init__()
        if not isinstance(transform, Transform):
            got = f"the class {transform.__name__}" if isinstance(transform, type) else f"a {type(transform).__name__}"
            raise TypeError(f"Elementwise takes an elementwise transform, such as Affine(), got {got}")
        if len(shape) > event_dims:
            raise ValueError(f"parameters of shape {tuple(shape)} have more dimensions than events of {event_dims}")
        self.transform = transform
        self.shape = tuple(shape)
        self.event_dims = event_dims
        count = transform.parameters_per_element
        self.raw = nn.Parameter(torch.zeros(*shape, count)) if count else None

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where the parameters do not broadcast to it."""
        if not broadcasts_to(self.shape, shape):
            raise ValueError(f"Elementwise has parameters of shape {self.shape}, got the event shape {tuple(shape)}")
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where the parameters do not broadcast to it."""
        return self.output_shape(shape)

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.codomain(dtype)

    def image_of(self, interval: Interval) -> Interval | None:
        """Between what the transform makes of the ends, where it has no parameters: it is monotone."""
        image = super().image_of(interval)
        return ends_mapped(self, interval) if image is None and self.raw is None else image

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z, log_derivative = self.transform(x, self._parameters_of_transform())
        return z, sum_event(log_derivative, self.event_dims, like=x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x, log_derivative = self.transform.inverse(z, self._parameters_of_transform())
        return x, sum_event(log_derivative, self.event_dims, like=z)

    def _parameters_of_transform(self) -> tuple[Tensor, ...]:
        return () if self.raw is None else self.transform.constrain(self.raw)
