"""The directive ``precision-table``: round trips of flowkit's own models, measured when the pages are built."""

from typing import ClassVar

import torch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import table
from torch import Tensor

from flowkit import Bijector, Flow, create_model, initialize
from flowkit.testing.subject import perturb

__all__ = ["PrecisionTable", "setup"]

# Standard deviation of the parameters' move off their start, relative to the number of inputs; less for Glow, whose
# depth would multiply it.
DEVIATION, DEVIATION_OF_GLOW = 0.2, 0.05
POINTS, IMAGES = 1000, 16
MODELS = {
    "nice": {"features": 6},
    "realnvp": {"features": 6},
    "nsf": {"features": 6},
    "maf": {"features": 6},
    "residual": {"features": 6, "blocks": 4},
    "ffjord": {"features": 6, "steps": 20},
    "glow": {"shape": (3, 16, 16), "levels": 2, "steps": 4, "hidden": 32},
}
HEADING = ("model", "float64", "float32", "bfloat16 autocast: median", "bfloat16 autocast: worst")


class PrecisionTable(SphinxDirective):
    """A row for each model: what its round trip misses the data by at most, in three settings."""

    required_arguments: ClassVar[int] = 0

    def run(self) -> list[nodes.Node]:
        """The table."""
        rows = [
            [nodes.Text(text) for text in (name, *(f"{figure:.0e}" for figure in _figures(name)))] for name in MODELS
        ]
        return [table(HEADING, [1] * len(HEADING), rows)]


def _figures(name: str) -> list[float]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = create_model(name, **MODELS[name])
        assert isinstance(flow, Flow)
        x = torch.randn(IMAGES if name == "glow" else POINTS, *flow.event_shape, dtype=torch.float64)
        initialize(flow.bijector, x.float())
        perturb(flow, DEVIATION_OF_GLOW if name == "glow" else DEVIATION)
    flow.eval()
    double = _missed(flow.double().bijector, x)
    single = _missed(flow.float().bijector, x.float())
    with torch.autocast("cpu", torch.bfloat16):
        half = _missed(flow.bijector, x.float())
    return [double.max().item(), single.max().item(), half.median().item(), half.max().item()]


@torch.no_grad()
def _missed(bijector: Bijector, x: Tensor) -> Tensor:
    """The largest error of each sample."""
    back, _ = bijector.inverse(bijector(x)[0])
    return ((back - x).abs() / (1 + x.abs())).flatten(1).amax(1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directive."""
    app.add_directive("precision-table", PrecisionTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
