"""A mixture of base distributions."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution
from flowkit.distributions.picking import pick

__all__ = ["Mixture"]


class Mixture(Distribution[Any]):
    r"""A weighted mixture: :math:`\log p(z) = \log \sum_k w_k\, p_k(z)`, :math:`w = \mathrm{softmax}(\ell)`.

    The weights are learned, and equal at the start. Components that start equal stay equal: initialise them
    differently. Every component scores, and draws, the whole batch. Samples carry gradients to the parameters of the
    component that they come from, none to the weights: the choice of a component cannot be differentiated.

    Args:
        components: the distributions, at least one; of tensors, or of the tuples of a multi-scale flow's latents.

    Raises:
        ValueError: there is no component.

    References:
        Izmailov, Kirichenko, Finzi and Wilson, "Semi-supervised learning with normalizing flows", 2020, sec. 3
        (a mixture as the base of a flow).

    Examples:
        >>> from flowkit import StandardNormal
        >>> base = Mixture([StandardNormal(), StandardNormal()])
        >>> base.log_prob(torch.zeros(1, 2)).detach()
        tensor([-1.8379])
        >>> base.sample(5, (2,)).shape
        torch.Size([5, 2])
    """

    has_rsample = False

    def __init__(self, components: Iterable[Distribution[Any]]) -> None:
        super().__init__()
        parts = list(components)
        for part in parts:
            require_distribution(part, "Mixture")
        self._components = nn.ModuleList(parts)
        if not len(self._components):
            raise ValueError("a Mixture needs at least one component")
        self.takes_label = any(component.takes_label for component in self.components)
        self.logits = nn.Parameter(torch.zeros(len(self._components)))

    @property
    def components(self) -> list[Distribution[Any]]:
        """The components, in order."""
        return list(self._components)  # type: ignore[arg-type]

    @property
    def weights(self) -> Tensor:
        """The components' weights, which add up to 1."""
        return self.logits.softmax(0)

    def _log_prob(self, z: Any, label: Any) -> Tensor:
        """Log-density, one number per sample; the label goes to every component that takes one."""
        parts = torch.stack([c.log_prob(z, label if c.takes_label else None) for c in self.components])
        log_weights = self.logits.to(parts.dtype).log_softmax(0)
        weighted = parts + log_weights.view(-1, *(1,) * (parts.ndim - 1))
        # Where no component has any density, the gradient of logsumexp would be nan.
        nowhere = (weighted == -torch.inf).all(0)
        return torch.where(nowhere, -torch.inf, torch.logsumexp(torch.where(nowhere, 0.0, weighted), 0))

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Any:
        """A tensor ``batch x shape``; the temperature is each component's, and the weights stay as they are."""
        weights = self.weights.detach()
        if generator is not None:
            weights = weights.to(generator.device)
        chosen = torch.multinomial(weights, batch, replacement=True, generator=generator) if batch else weights[:0]
        parts = [
            c._sample(batch, shape, label if c.takes_label else None, temperature, generator) for c in self.components
        ]
        return pick(parts, chosen)
