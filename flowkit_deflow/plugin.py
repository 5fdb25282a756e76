"""What flowkit_deflow offers to flowkit's registry."""

from typing import Any

import torch
from torch import Tensor

from flowkit import Bijector, Plugin, initialize
from flowkit_deflow.architecture import build_bijector
from flowkit_deflow.config import Run, override
from flowkit_deflow.model import DeFlow
from flowkit_deflow.presets import PRESETS, preset

__all__ = ["PLUGIN"]


def _model(name: str) -> Any:
    def build(**settings: Any) -> DeFlow:
        """Build the preset's network; keyword arguments change settings of its architecture."""
        run: Run = override(preset(name), [f"architecture.{key}={value}" for key, value in settings.items()])
        return DeFlow(run.architecture)

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
