"""Batch normalisation."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.ops.precision import at_least_float32

__all__ = ["BatchNorm"]


class BatchNorm(ChannelBijector):
    r"""Batch normalisation of channels: by the batch's own moments while training, by running ones after ``eval()``.

    .. math:: z = \frac{x - m}{\sqrt{v + \epsilon}}\, e^{\gamma} + \beta, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = N \sum_c \gamma_c - \tfrac12 \log (v_c + \epsilon)

    for ``N`` positions of an event. **While training it is no bijection of one sample**: what becomes of a sample
    depends on the others in the batch, a density of the batch is not the product of its samples', a batch of one is
    refused, and so are :class:`~flowkit.Checkpointed` and :class:`~flowkit.Reversible`, which run layers twice. After
    ``eval()`` it keeps the whole contract; ``inverse`` always goes by the running moments. Take
    :class:`~flowkit.ActNorm`, which has none of this, unless a published model is to be followed.

    Args:
        channels: size of the channel dimension, the first event dimension.
        event_dims: 3 for images, 1 for vectors.
        momentum: how much of the running moments a batch replaces, in (0, 1].
        eps: :math:`\epsilon`, > 0, added to variances.

    Raises:
        ValueError: ``momentum`` or ``eps`` is outside its range; the input has another number of channels; or (while
            training) a channel has a single value in the batch.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, sec. 3.7 and app. E.
        G. Papamakarios, T. Pavlakou, I. Murray, "Masked Autoregressive Flow for Density Estimation", NeurIPS 2017.

    Examples:
        >>> layer = BatchNorm(2, momentum=1.0)
        >>> x = 5 + 3 * torch.randn(100, 2)
        >>> bool(layer(x)[0].mean().abs() < 1e-5)
        True
        >>> torch.allclose(layer.eval().inverse(layer(x)[0])[0], x, atol=1e-4)
        True
    """

    takes_context = False

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, event_dims: int = 1, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(channels, event_dims)
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum is {momentum}; it must lie in (0, 1]")
        if not 0 < eps < math.inf:
            raise ValueError(f"eps is {eps}; it must be over 0 and finite")
        self.momentum = momentum
        self.eps = eps
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    @property
    def counts_batches(self) -> bool:
        """Whether a run changes the running moments."""
        return self.training

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = at_least_float32(x)
        mean, variance = self._batch_moments(x) if self.training else (self.mean, self.variance)
        mean, log_scale, bias = self._affine(mean, variance)
        return (x - mean) * log_scale.exp() + bias, sum_event(log_scale, self.event_dims, like=x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = at_least_float32(z)
        mean, log_scale, bias = self._affine(self.mean, self.variance)
        return (z - bias) * (-log_scale).exp() + mean, -sum_event(log_scale, self.event_dims, like=z)

    def _affine(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, log-scale and bias, one for each channel, that broadcast to an event."""
        log_scale = at_least_float32(self.log_scale) - 0.5 * (at_least_float32(variance) + self.eps).log()
        shape = (self.channels,) + (1,) * (self.event_dims - 1)
        return at_least_float32(mean).view(shape), log_scale.view(shape), at_least_float32(self.bias).view(shape)

    def _batch_moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The batch's mean and variance of each channel; the running ones move towards them."""
        values = x.movedim(x.ndim - self.event_dims, 0).reshape(self.channels, -1)
        if values.shape[1] < 2:
            raise ValueError(
                f"BatchNorm({self.channels}) got one value for each channel: while training it needs a batch; call "
                "eval() for single samples"
            )
        mean, variance = values.mean(1), values.var(1, correction=0)
        with torch.no_grad():
            self.mean.lerp_(mean.to(self.mean.dtype), self.momentum)
            self.variance.lerp_(variance.to(self.variance.dtype), self.momentum)
        return mean, variance
