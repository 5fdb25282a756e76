"""The work of degrading images, which any process can do for itself."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from flowkit_deflow.app.image_task import usable_device
from flowkit_deflow.app.rendering import Rendering, Work
from flowkit_deflow.app.renderings import degraded
from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.images.noise import SeededNoise

__all__ = ["Degrading", "load_onto"]


def load_onto(model: Path, place: torch.device) -> Degrader:
    """The degrader of a model folder, on a device if it has weights."""
    degrader = load_degrader(model)
    if isinstance(degrader, nn.Module):
        degrader.to(place)
    return degrader


class Degrading:
    """Degrades images by a model folder; what is sent to another process is where the model lies, not the model.

    Args:
        model: the folder.
        temperature: of the degrader.
        samples: versions of each image.
        tile: side of the tiles of a degrader that has tiles (pixels).
        device: name of the device; ``auto`` is a GPU where the process has one.
    """

    def __init__(self, model: Path, temperature: float, samples: int, tile: int, device: str) -> None:
        self.model = model
        self.temperature = temperature
        self.samples = samples
        self.tile = tile
        self.device = device
        self._work: Work | None = None

    def load(self) -> Work:
        """The work with the model, which is read if this process has not done so.

        Raises:
            UserError: it cannot be read, or the device cannot be used here.
        """
        if self._work is None:
            place = usable_device(self.device)
            degrader = load_onto(self.model, place)
            self._work = degraded(degrader, lambda noise: self.temperature, self.samples, self.tile, place)
        return self._work

    def __call__(self, images: Tensor, noise: SeededNoise) -> Rendering:
        """The versions of one image; see :data:`flowkit_deflow.app.rendering.Work`."""
        return self.load()(images, noise)

    def __getstate__(self) -> dict[str, Any]:
        """Without the model."""
        return self.__dict__ | {"_work": None}
