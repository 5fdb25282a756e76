"""Whether generated patches are as rough as real ones: what a temperature would have to set right."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["ROUGHNESS", "median_roughness"]

SIDE = 16
# Ratio of medians; motifs alone make up a part of it.
TOO_FAR = 1.5


def median_roughness(images: Tensor) -> float:
    """Median over patches of 16 x 16 pixels of the standard deviation of the Laplacian of the brightness.

    Args:
        images: ``B x 3 x H x W`` in [0, 1].

    Returns:
        The roughness in 8-bit grey levels.

    Examples:
        >>> median_roughness(torch.linspace(0, 1, 32).expand(1, 3, 32, 32)) < 1e-3
        True
    """
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=images.dtype, device=images.device)
    laplacian = 255 * F.conv2d(images.mean(1, keepdim=True), kernel[None, None])
    side = min(SIDE, *laplacian.shape[-2:])
    patches = laplacian.unfold(-2, side, side).unfold(-2, side, side)
    return float(patches.std((-2, -1), correction=0).median())


def measure(snapshot: Snapshot) -> Scalars:
    """Roughness of clean, generated and really degraded crops."""
    return {
        "roughness_clean": median_roughness(snapshot.crops[Domain.CLEAN].images),
        "roughness_generated": median_roughness(snapshot.generated),
        "roughness_real": median_roughness(snapshot.crops[Domain.DEGRADED].images),
    }


def find(history: History, run: Run) -> Finding | None:
    """Whether generated patches are rougher or smoother than real ones by more than their motifs explain."""
    if not history.series("roughness_real"):
        return None
    clean, generated, real = (history.last(f"roughness_{name}") for name in ("clean", "generated", "real"))
    measured = f"generated {generated:.1f} grey levels, real {real:.1f} (clean {clean:.1f})"
    if generated > TOO_FAR * real:
        return Finding(
            measured,
            f"generated patches are {_ratio(generated, real)} times as rough as real ones: look at some, and degrade "
            "with a --temperature below 1",
        )
    if real > TOO_FAR * generated:
        return Finding(
            measured,
            f"generated patches are {_ratio(real, generated)} times as smooth as real ones: look at some, train "
            "longer, or degrade with a --temperature above 1",
        )
    return Finding(measured)


def _ratio(larger: float, smaller: float) -> str:
    return f"{larger / smaller:.1f}" if smaller else "any number of"


ROUGHNESS = Monitor("roughness of patches", measure, find)
