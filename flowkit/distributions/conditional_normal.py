"""A normal whose mean and scale depend on the label."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape, sum_event
from flowkit.counts import require_counts
from flowkit.distributions.channels import event_shape
from flowkit.distributions.distribution import Distribution, normal_like
from flowkit.transforms.transform import split_parameters

__all__ = ["ConditionalNormal"]


class ConditionalNormal(Distribution[Tensor]):
    r"""Independent normals whose mean and standard deviation a network computes from the label.

    .. math:: \log p(z|y) = \sum \log \mathcal N(z;\ \mu(y),\ \sigma(y)^2), \qquad \sigma(y) = e^{s(y)}

    For classes the network may be an ``nn.Embedding``; for images it may give ``1 x 1`` positions, which broadcast.
    A network that starts at zero makes it start as the standard normal. Samples are reparametrised: gradients
    flow from them into the network.

    Args:
        conditioner: a module from the label to ``2 * channels`` channels, interleaved: the mean of channel ``c``
            is ``2c``, its log-standard-deviation ``2c + 1``.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: (when called) there is no label, or the network's output does not fit the latents. A label of
            one sample serves a batch of any size.

    References:
        Winkler, Worrall, Hoogeboom and Welling, "Learning likelihoods with conditional normalizing flows", 2019
        (the conditional base density).

    Examples:
        >>> classes = nn.Embedding(10, 2 * 3)
        >>> _ = nn.init.zeros_(classes.weight)
        >>> base = ConditionalNormal(classes)
        >>> base.log_prob(torch.zeros(2, 3), label=torch.tensor([4, 9])).detach()
        tensor([-2.7568, -2.7568])
        >>> base.sample(2, (3,), label=torch.tensor([4, 9])).shape
        torch.Size([2, 3])
    """

    takes_label = True

    def __init__(self, conditioner: nn.Module, event_dims: int = 1) -> None:
        super().__init__()
        self.conditioner = conditioner
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims
        self.label_dims = _label_dims_of(conditioner)

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x event`` given the label, one number per sample."""
        mean, log_std = self._parameters_for(label, z.shape, event_shape(z, self.event_dims, self))
        dtype = torch.promote_types(z.dtype, torch.float32)
        mean, log_std = mean.to(dtype), log_std.to(dtype)
        white = (z.to(dtype) - mean) * (-log_std).exp()
        return sum_event(-0.5 * (white.square() + math.log(2 * math.pi)) - log_std, self.event_dims)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``, sample ``i`` drawn given label ``i`` (or the only one)."""
        mean, log_std = self._parameters_for(label, (batch, *shape), shape)
        noise = normal_like((batch, *shape), mean, generator)
        return mean + temperature * log_std.exp() * noise

    def _parameters_for(self, label: Any, shape: tuple[int, ...], event: Shape) -> tuple[Tensor, Tensor]:
        if label is None:
            raise ValueError("ConditionalNormal depends on a label: pass label=")
        raw = split_parameters(self.conditioner(label), 2, self.event_dims, event[0])
        mean, log_std = raw.to(torch.promote_types(raw.dtype, torch.float32)).unbind(-1)
        try:
            # Expanding to the latents refuses a label of more samples or positions than they have.
            return mean.expand(shape), log_std.expand(shape)
        except RuntimeError:
            raise ValueError(
                f"the label gives means of shape {tuple(mean.shape)}, which do not fit latents of shape {tuple(shape)}"
            ) from None


def _label_dims_of(network: nn.Module) -> int:
    """The dimensions of one label that a network takes, by the first of its layers whose kind says so."""
    known = ((nn.Embedding, 0), (nn.Linear, 1), (nn.Conv1d, 2), (nn.Conv2d, 3))
    found = (dims for module in network.modules() for kind, dims in known if isinstance(module, kind))
    return next(found, 0)
