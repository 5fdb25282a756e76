"""Samples that keep more to their class, or to the data: guidance of autoregressive flows."""

import copy
from typing import Any

from torch import nn

from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.transformer_autoregressive import TransformerAutoregressive
from flowkit.flow import Flow
from flowkit.nn.guided import Guided
from flowkit.nn.optional_class_embedding import OptionalClassEmbedding

__all__ = ["guided"]


def guided(flow: Flow, weight: float, temperature: float = 1.0, ramp: bool = False) -> Flow:
    r"""The flow whose every transform is led away from a poorer prediction, for sampling.

    .. math:: \theta_i(x_{<i}, c) + w_i \left(\theta_i(x_{<i}, c) - \theta_i^{ref}(x_{<i})\right)

    A flow with classes is led away from what it predicts for no class (-1); that takes training with some of the labels
    replaced by -1. Any flow can be led away from what it predicts with flatter attention (a temperature above 1). The
    parameters are moved before they are constrained, so that scales stay bounded. The result is a flow again, with a
    density of its own.

    Args:
        flow: of :func:`flowkit.tarflow`, or with such layers; it stays as it is, and shares its parameters.
        weight: :math:`w`; 0 changes nothing, 1 to 3 are usual.
        temperature: of the reference's attention, > 0; 1 for that of the flow.
        ramp: whether the weight grows from 0 at the first position to ``w`` at the last.

    Returns:
        The guided flow, to sample from. It cannot be stored; store the flow.

    Raises:
        ValueError: the flow is guided already, has no such layers, or nothing to lead away from: no classes, and a
            temperature of 1.

    References:
        Zhai et al., "Normalizing flows are capable generative models", ICML 2025, sec. 2 (guidance).

    Examples:
        >>> import torch, flowkit
        >>> flow = flowkit.tarflow((1, 4, 4), blocks=2, layers=1, width=8, classes=10)
        >>> guided(flow, 2.0).sample(2, context=torch.tensor([3, 7])).shape
        torch.Size([2, 1, 4, 4])
    """
    if any(isinstance(part, Guided) for part in flow.modules()):
        raise ValueError("this flow is guided already: guide the one that it was made of, by the weight that you want")
    shared = {id(tensor): tensor for tensor in (*flow.parameters(), *flow.buffers())}
    other = copy.deepcopy(flow, shared)
    layers = [part for part in other.modules() if isinstance(part, TransformerAutoregressive)]
    maps = [
        part
        for part in other.modules()
        if isinstance(part, ContextMap) and isinstance(part.function, OptionalClassEmbedding)
    ]
    if not layers:
        raise ValueError(
            f"{type(flow.bijector).__name__} has no TransformerAutoregressive to guide: take flowkit.tarflow"
        )
    if not maps and temperature == 1:
        raise ValueError(
            "this flow has no classes, and temperature is 1: there is nothing to lead away from; set a temperature "
            "above 1"
        )
    for part in maps:
        part.function = _WithAndWithout(part.function)
    for layer in layers:
        layer.conditioner = Guided(layer.conditioner, weight, temperature, ramp)
    # It is no longer what the recipe makes.
    vars(other).pop("recipe", None)
    return other


class _WithAndWithout(nn.Module):
    """The vectors of classes, and that of no class.

    Args:
        embedding: an :class:`OptionalClassEmbedding`.
    """

    def __init__(self, embedding: Any) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, label: Any) -> tuple[Any, Any]:
        return self.embedding(label), self.embedding(-1)
