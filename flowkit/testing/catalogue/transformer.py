"""Autoregressive layers over positions, by transformers: either order, each way of decoding, guided."""

from collections.abc import Callable

from torch import nn

from flowkit.bijectors.decoding import Decoding, JacobiDecoding, SequentialDecoding
from flowkit.bijectors.transformer_autoregressive import TransformerAutoregressive
from flowkit.nn.causal_transformer import CausalTransformer
from flowkit.nn.guided import Guided
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.coupling import affine_bounded, affine_sigmoid
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.transforms.affine import Affine
from flowkit.transforms.transform import Transform

__all__ = ["ENTRIES"]


def _plain(network: CausalTransformer) -> nn.Module:
    return network


def _guided(network: CausalTransformer) -> nn.Module:
    return Guided(network, weight=0.5, temperature=2.0, ramp=True)


def _layer(
    transform: Callable[[], Transform] = Affine,
    conditional: bool = False,
    reverse: bool = False,
    decoding: Callable[[], Decoding] = SequentialDecoding,
    wrap: Callable[[CausalTransformer], nn.Module] = _plain,
) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        # Two positions at least, since the attention of one has nothing to weigh; each costs a step of decoding.
        channels, height, width = draw(1, 3), draw(1, 2), 2
        context = CONTEXT if conditional else 0

        def make() -> TransformerAutoregressive:
            chosen = transform()
            count = chosen.parameters_per_element
            network = CausalTransformer(channels, count, (height, width), HIDDEN, 1, 2, context)
            return TransformerAutoregressive(channels, wrap(network), chosen, reverse, decoding())

        return Case(make, (channels, height, width), (CONTEXT, height, width) if conditional else None)

    return build


TARFLOW = "Zhai et al. 2024, sec. 2"

ENTRIES: dict[str, Entry] = {
    "TransformerAutoregressive": Entry("autoregressive transformer over patches", TARFLOW, _layer()),
    "TransformerAutoregressive, Jacobi decoding": Entry(
        "autoregressive transformer over patches, inverted by Jacobi iterations",
        "Song et al. 2021",
        _layer(affine_bounded, decoding=JacobiDecoding),
    ),
    "TransformerAutoregressive, guided, in reverse": Entry(
        "conditional autoregressive transformer over patches in reverse, guided",
        "Zhai et al. 2024, sec. 2, guidance",
        _layer(affine_sigmoid, conditional=True, reverse=True, wrap=_guided),
    ),
}
