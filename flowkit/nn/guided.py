"""A causal network led away from a poorer prediction of its own."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.recorded import Recorded

__all__ = ["Guided"]


class Guided(Recorded, nn.Module):
    r"""A network's parameters moved on from those of a reference: :math:`\theta + w_i (\theta - \theta^{ref})`.

    The reference is the same network given another context, or with flatter or sharper attention, or both. As the
    conditioner of a :class:`~flowkit.bijectors.TransformerAutoregressive` it gives an invertible layer again, whose
    samples keep more to what distinguishes the context.

    Args:
        network: a :class:`~flowkit.nn.CausalTransformer`.
        weight: :math:`w`, 0 for the network itself.
        temperature: of the reference's attention, > 0.
        ramp: whether the weight grows from 0 at the first token to ``w`` at the last, :math:`w_i = w\, i / (n - 1)`.

    Raises:
        ValueError: ``temperature`` is not positive.

    References:
        Zhai et al., "Normalizing flows are capable generative models", ICML 2025, sec. 2 (guidance).

    Examples:
        >>> from flowkit.nn import CausalTransformer
        >>> network = Guided(CausalTransformer(3, 2, (2, 2), width=8, layers=1, context_channels=5), weight=2.0)
        >>> context, reference = torch.rand(4, 5, 1, 1), torch.zeros(5, 1, 1)
        >>> network(torch.rand(4, 4, 3), network.prepare((context, reference))).shape
        torch.Size([4, 4, 6])
    """

    def __init__(self, network: nn.Module, weight: float, temperature: float = 1.0, ramp: bool = False) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}; it must be above 0")
        self.network = network
        self.weight = weight
        self.temperature = temperature
        self.ramp = ramp

    def prepare(self, context: Any) -> tuple[Any, Any]:
        """What the network prepares of two contexts, its own and the reference's; of a single one, for both."""
        given = context if isinstance(context, tuple) else (context, context)
        own, reference = (self.network.prepare(one) for one in given)  # type: ignore[operator]
        return own, reference

    def new_cache(self) -> tuple[Any, Any]:
        """Empty caches, of the network and of the reference."""
        return self.network.new_cache(), self.network.new_cache()  # type: ignore[operator]

    def forward(self, tokens: Tensor, prepared: tuple[Any, Any], cache: tuple[Any, Any] | None = None) -> Tensor:
        """As of :class:`~flowkit.nn.CausalTransformer`."""
        own_cache, reference_cache = (None, None) if cache is None else cache
        first = own_cache[0].length if own_cache else 0
        own = self.network(tokens, prepared[0], own_cache)
        reference = self.network(tokens, prepared[1], reference_cache, self.temperature)
        return own + self._weights(own, first) * (own - reference)

    def _weights(self, raw: Tensor, first: int) -> Tensor:
        """A weight for each token of ``raw``, the first of which has the number ``first``."""
        if not self.ramp:
            return raw.new_tensor(self.weight)
        places = torch.arange(first, first + raw.shape[-2], dtype=raw.dtype, device=raw.device)
        return self.weight * places.unsqueeze(-1) / max(1, self.network.length - 1)  # type: ignore[operator]
