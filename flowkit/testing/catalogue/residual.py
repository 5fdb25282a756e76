"""Invertible residual blocks."""

from flowkit.bijectors.residual import Residual
from flowkit.bijectors.residual_log_det import PowerSeriesLogDet, ResidualLogDet, RussianRouletteLogDet
from flowkit.nn.lipschitz import LipschitzMLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT

__all__ = ["ENTRIES"]


def _residual(draw: Draw, log_det: ResidualLogDet | None = None, context_features: int = 0) -> Case:
    features = draw(1, 3)
    hidden = [draw(2, 5) for _ in range(draw(1, 2))]

    def make() -> Residual:
        return Residual(LipschitzMLP(features, hidden, context_features), log_det)

    # Far: a new block is nearly the identity, and stays invertible whatever its parameters.
    return Case(make, (features,), (context_features,) if context_features else None, deviation=2.0)


IRESNET = "Behrmann et al. 2019"
RESIDUAL_FLOW = "Chen et al. 2019"

ENTRIES: dict[str, Entry] = {
    "Residual": Entry("invertible residual block (i-ResNet)", f"{IRESNET}, sec. 2", _residual),
    "Residual, conditional": Entry(
        "invertible residual block, the context added to its first layer",
        f"{IRESNET}, sec. 2",
        lambda draw: _residual(draw, context_features=CONTEXT),
    ),
    "Residual, power series": Entry(
        "invertible residual block, trained with a truncated log-determinant",
        f"{IRESNET}, thm. 3",
        lambda draw: _residual(draw, PowerSeriesLogDet(terms=5)),
    ),
    "Residual, Russian roulette": Entry(
        "residual flow: trained with the unbiased log-determinant",
        f"{RESIDUAL_FLOW}, eq. 6 to 8",
        lambda draw: _residual(draw, RussianRouletteLogDet()),
    ),
}
