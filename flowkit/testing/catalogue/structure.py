"""What moves, cuts and normalises the entries of an event."""

from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.batch_norm import BatchNorm
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.factor_out import FactorOut
from flowkit.bijectors.identity import Identity
from flowkit.bijectors.multiscale import MultiScale
from flowkit.bijectors.reshape import Reshape
from flowkit.bijectors.split import Split
from flowkit.bijectors.transpose import Transpose
from flowkit.nn.masked_mlp import MaskedMLP
from flowkit.nn.mlp import MLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.testing.catalogue.sizes import choice, image_shape

__all__ = ["ENTRIES"]


def _split(draw: Draw) -> Case:
    sizes = [draw(1, 3), draw(1, 3)]
    return Case(lambda: Split(sizes), (sum(sizes),))


def _reshape(draw: Draw) -> Case:
    shape = image_shape(draw, (1, 3))
    latent = (shape[0] * shape[1] * shape[2],)
    return Case(lambda: Reshape(shape, latent), shape)


def _transpose(draw: Draw) -> Case:
    order = choice(draw, ((2, 0, 1), (1, 0, 2), (1, 2, 0)))
    return Case(lambda: Transpose(order), image_shape(draw))


def _batch_norm(draw: Draw) -> Case:
    shape = image_shape(draw)
    return Case(lambda: BatchNorm(shape[0], event_dims=3), shape)


def _multi_scale(draw: Draw) -> Case:
    features = draw(4, 7)
    kept = features // 2

    def make() -> MultiScale:
        first = Coupling(features, MLP(kept, 2 * (features - kept), (HIDDEN,)), event_dims=1)
        cut = FactorOut(features, MLP(kept, 2 * (features - kept), (HIDDEN,)), event_dims=1)
        second = Coupling(kept, MLP(kept // 2, 2 * (kept - kept // 2), (HIDDEN,)), event_dims=1)
        return MultiScale([first, second], [cut])

    return Case(make, (features,))


def _graph(draw: Draw) -> Case:
    features = draw(3, 5)
    # A path from the first feature on, and one more edge: every feature but the first has a parent.
    edges = {(i, i - 1) for i in range(1, features)} | {(features - 1, draw(0, features - 3))}
    adjacency = [[(i, j) in edges for j in range(features)] for i in range(features)]
    return Case(
        lambda: MaskedAutoregressive(features, MaskedMLP(adjacency, 2, (HIDDEN, HIDDEN), CONTEXT)),
        (features,),
        (CONTEXT,),
    )


REALNVP = "Dinh, Sohl-Dickstein and Bengio 2017"

ENTRIES: dict[str, Entry] = {
    "Identity": Entry("identity", "Rozet et al. 2022", lambda draw: Case(Identity, (draw(1, 5),))),
    "Split": Entry("a vector in blocks", f"{REALNVP}, sec. 3.6", _split),
    "Reshape": Entry("events of another shape", "Ardizzone et al. 2018", _reshape),
    "Transpose": Entry("dimensions in another order", "Dillon et al. 2017", _transpose),
    "BatchNorm": Entry("batch normalisation, by running moments", f"{REALNVP}, sec. 3.7", _batch_norm),
    "MultiScale, vectors": Entry("multi-scale flow of vectors", f"{REALNVP}, sec. 3.6", _multi_scale),
    "MaskedAutoregressive, graph": Entry(
        "autoregressive flow over a graph", "Wehenkel and Louppe 2021, sec. 3", _graph
    ),
}
