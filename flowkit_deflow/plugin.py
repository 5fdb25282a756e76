"""What flowkit_deflow offers to flowkit's registry."""

from typing import Any

from torch import Tensor

from flowkit import Bijector, Plugin
from flowkit.testing import Case
from flowkit_deflow.method.architecture import build_bijector
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.presets import PRESETS, preset
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.settings.text import from_dict, to_dict

__all__ = ["PLUGIN"]


def _model(name: str) -> Any:
    def build(**settings: Any) -> DeFlow:
        """Build the preset's network; keyword arguments change settings of its architecture."""
        values = to_dict(preset(name).architecture.as_published()) | settings
        return DeFlow(from_dict(Architecture, values, f"model 'deflow-{name}'"))

    return build


def _tiny_bijector() -> Bijector[Tensor, tuple[Tensor, ...]]:
    return build_bijector(PRESETS["tiny"].architecture)


PLUGIN = Plugin(
    models={f"deflow-{name}": _model(name) for name in PRESETS},
    bijectors={
        # The smallest image that its levels divide, and the low resolution that it is conditioned on.
        "deflow-tiny": Case(
            _tiny_bijector,
            event=(3, 8, 8),
            context=(3, 2, 2),
            batches=((1,), (3,)),
            deviation=0.05,
            exempt={
                "extreme_inputs": "factoring out scales by the exponential of a network's output, not bounded, as "
                "published: it overflows on images far outside [0, 1]"
            },
        )
    },
)
