"""The interface of base distributions."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from flowkit.bijector import Shape

__all__ = ["Distribution", "normal_like"]

Z = TypeVar("Z")


class Distribution(nn.Module, ABC, Generic[Z]):
    r"""A distribution :math:`p_Z(z \mid l)` over latents: a tensor, or the whole tuple of a multi-scale flow's levels.

    Attributes:
        has_rsample: whether the gradient of a sample reaches all parameters; ``False`` for a distribution that picks a
            component at random, or rejects samples.

    References:
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> from flowkit import StandardNormal
        >>> base = StandardNormal(event_dims=1)
        >>> base.log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """

    has_rsample: bool = True

    @abstractmethod
    def log_prob(self, z: Z, label: Any = None) -> Tensor:
        """Log-density, one number per sample (natural log, at least float32).

        Args:
            z: the latents, ``batch x event`` each.
            label: what the distribution is conditioned on, if it is (a class, a domain).
        """

    @abstractmethod
    def sample(
        self,
        batch: int,
        shape: Shape,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Z:
        """Draw latents.

        Args:
            batch: the number of samples.
            shape: the event shape, or the tuple of the levels' event shapes.
            label: as for ``log_prob``.
            temperature: factor on the deviation from the mean, >= 0.
            generator: source of randomness; PyTorch's global one if ``None``. A CPU generator serves any device
                and gives the same numbers on each.
        """

    def support(self, event_dims: int) -> constraints.Constraint:
        """Where the density may be positive; everywhere, unless a subclass says otherwise.

        Args:
            event_dims: dimensions of one event.

        Returns:
            A constraint whose ``event_dim`` is ``event_dims``.
        """
        return constraints.independent(constraints.real, event_dims)


def normal_like(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    r"""Numbers :math:`\epsilon \sim N(0, I)` of the dtype and device of ``like``, drawn on the generator's own device.

    Args:
        shape: shape of the result.
        like: a tensor whose dtype and device are taken.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A tensor of that shape.

    Examples:
        >>> normal_like((2, 3), torch.zeros(1, dtype=torch.float64)).dtype
        torch.float64
    """
    device = like.device if generator is None else generator.device
    return torch.randn(shape, dtype=like.dtype, device=device, generator=generator).to(like.device)
