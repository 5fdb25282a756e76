"""A bijection joined with a base distribution."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Shape
from flowkit.constants import place_constants_after_loading
from flowkit.distributions import Distribution

__all__ = ["Flow", "bits_per_dim"]


class Flow(nn.Module):
    r"""A density by change of variables: :math:`\log p(x|c) = \log p_Z(f(x|c)) + \log|\det \partial f/\partial x|`.

    Args:
        bijector: ``f``, data to latents.
        base: the distribution of the latents, all levels together.
        event_shape: event shape of the data, where it is fixed: ``sample`` then needs none. An image flow that
            takes images of any size has ``None``.

    Raises:
        TypeError: bijector and base distribution are given in the other order.

    References:
        D. J. Rezende, S. Mohamed, "Variational Inference with Normalizing Flows", ICML 2015.
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> from flowkit import FactorOut, MultiScale, Squeeze, StandardNormal, ZeroConv2d
        >>> bijector = MultiScale([Squeeze(), Squeeze()], [FactorOut(12, ZeroConv2d(6, 12))])
        >>> flow = Flow(bijector, StandardNormal(event_dims=3))
        >>> flow.log_prob(torch.rand(2, 3, 8, 8)).shape
        torch.Size([2])
        >>> flow.sample(2, (3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, bijector: Bijector[Any, Any], base: Distribution[Any], event_shape: Shape | None = None) -> None:
        super().__init__()
        if isinstance(bijector, Distribution) or isinstance(base, Bijector):
            raise TypeError(
                f"Flow takes the bijector first and the base distribution second, got {type(bijector).__name__} and "
                f"{type(base).__name__}"
            )
        self.bijector = bijector
        self.base = base
        self.event_shape = event_shape
        # A base distribution may have no state of its own to go by.
        place_constants_after_loading(self)

    def forward(self, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
        """Log-density, as :meth:`log_prob`: what calls a module calls this, :func:`initialize` and DDP among them."""
        return self.log_prob(x, context, label)

    def log_prob(self, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
        """Log-density, natural log, one number per sample.

        Args:
            x: data, ``batch x event``.
            context: what the bijector is conditioned on.
            label: what the base distribution is conditioned on.

        Returns:
            A tensor of the batch shape.

        Raises:
            ValueError: the base distribution takes other dimensions for one event than the bijector.
        """
        z, log_det = self.bijector(x, context)
        latent_log_prob = self.base.log_prob(z, label)
        if latent_log_prob.ndim != log_det.ndim:
            raise ValueError(
                f"the base distribution {type(self.base).__name__} gives log-densities of shape "
                f"{tuple(latent_log_prob.shape)}, the bijector {type(self.bijector).__name__} log-determinants of "
                f"shape {tuple(log_det.shape)}: their event dimensions differ; set event_dims of the base, 3 for images"
            )
        return latent_log_prob + log_det

    def sample(
        self,
        batch: int,
        shape: Shape | None = None,
        context: Any = None,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw data.

        The samples are differentiable functions of the parameters, by the noise that they are made of, as ``rsample``
        is in ``torch.distributions``: where gradients are recorded and a parameter or the context requires them, the
        samples keep their graph, and its memory. To draw and no more, call it under ``torch.no_grad()``. What a base
        distribution draws without derivatives, as the component of a mixture, has none here.

        Args:
            batch: how many, >= 0.
            shape: event shape of the data, for images ``(C, H, W)``; ``None`` for the flow's own.
            context: what the bijector is conditioned on; of batch size ``batch`` or one.
            label: what the base distribution is conditioned on.
            temperature: factor on the latents' deviation from their mean, >= 0.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``batch x shape``.

        Raises:
            TypeError: ``batch`` is no integer.
            ValueError: neither ``shape`` is given nor the flow has one of its own, ``shape`` is no tuple of sizes, or
                ``batch`` or ``temperature`` is negative.
        """
        if not hasattr(batch, "__index__"):
            raise TypeError(
                f"batch is {batch!r}; sample takes one number of samples: draw more and view them otherwise"
            )
        if batch < 0 or temperature < 0:
            raise ValueError(f"batch is {batch} and temperature {temperature}; both must be at least 0")
        shape = self.event_shape if shape is None else shape
        if shape is None:
            raise ValueError("this flow takes data of any shape: say which to sample, as sample(batch, shape)")
        if not isinstance(shape, tuple | list):
            raise ValueError(f"shape is {shape!r}; expected the event shape as a tuple, such as (3, 32, 32)")
        latents = self.base.sample(batch, self.bijector.output_shape(shape), label, temperature, generator)
        return self.bijector.inverse(latents, context)[0]

    def bits_per_dim(self, x: Tensor, context: Any = None, label: Any = None, bins: int = 1) -> Tensor:
        """Code length of ``x`` in bits per dimension, one number per sample; see :func:`bits_per_dim`."""
        log_prob = self.log_prob(x, context, label)
        return bits_per_dim(log_prob, math.prod(x.shape[x.ndim - self.bijector.event_dims :]), bins)


def bits_per_dim(log_prob: Tensor, dimensions: int, bins: int = 1) -> Tensor:
    r"""Bits per dimension: :math:`-\log p(x) / (D \log 2) + \log_2 n`.

    Args:
        log_prob: log-density of data in [0, 1], natural log.
        dimensions: ``D``, the number of values in one sample.
        bins: ``n``, the number of levels that the data was dequantised from; 1 leaves the density as it is.

    Returns:
        A tensor of the shape of ``log_prob``.

    References:
        L. Theis, A. van den Oord, M. Bethge, "A note on the evaluation of generative models", ICLR 2016.

    Examples:
        >>> bits_per_dim(torch.tensor([0.0]), dimensions=12, bins=256)
        tensor([8.])
    """
    return -log_prob / (dimensions * math.log(2)) + math.log2(bins)
