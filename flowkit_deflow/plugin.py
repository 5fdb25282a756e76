"""What flowkit_deflow offers to flowkit's registry."""

from typing import Any

import torch
from torch import Tensor

from flowkit import Bijector, Plugin, initialize
from flowkit_deflow.architecture import build_bijector
from flowkit_deflow.config import Architecture, from_dict, to_dict
from flowkit_deflow.model import DeFlow
from flowkit_deflow.presets import PRESETS, preset

__all__ = ["PLUGIN"]


def _model(name: str) -> Any:
    def build(**settings: Any) -> DeFlow:
        """Build the preset's network; keyword arguments change settings of its architecture."""
        values = to_dict(preset(name).architecture) | settings
        return DeFlow(from_dict(Architecture, values, f"model 'deflow-{name}'"))

    return build


def _tiny_bijector() -> Bijector[Tensor, tuple[Tensor, ...]]:
    """The whole conditional flow with random conditioning bound, ready to be checked on images 3 x 16 x 16."""
    bijector = build_bijector(PRESETS["tiny"].architecture)
    h = torch.rand(1, 3, 4, 4)
    initialize(bijector, torch.rand(1, 3, 16, 16), h)
    return bijector.bind(h)


PLUGIN = Plugin(
    models={f"deflow-{name}": _model(name) for name in PRESETS},
    bijectors={"deflow-tiny": _tiny_bijector},
)
