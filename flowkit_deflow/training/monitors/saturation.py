r"""Whether the flow takes noise for texture: how its latents grow with the noise in the image.

With the noise :math:`n` of degraded images, a clean image :math:`x` and its own h,

.. math:: e_k = \frac{1}{k^2} \left( \overline{f_h(x + k n)^2} - \overline{f_h(x)^2} \right)

is the same for each strength k if the flow is linear in the noise. A coupling whose scale sees the other half of the
image adapts to the noise in it: the latents of strong noise are smaller than they should be, and decoding enlarges the
picture's own texture.
"""

import torch
from torch import Tensor

from flowkit_deflow.method.latent_edits import Latents
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.flat_noise import flat_noise
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["SATURATION"]

WEAK, STRONG = 1.0, 4.0
# Additive couplings were seen within 0.86 to 1.27, affine ones at 0.40 to 0.54 after training.
LOWEST, HIGHEST = 0.7, 1.4
# Standard deviation in [0, 1]: weaker noise is rounding.
ROUNDING = 0.5 / 255


def measure(snapshot: Snapshot) -> Scalars:
    """``saturation``: the latent excess of noise four times as strong as the real one, over that of the real one."""
    noise = flat_noise(snapshot.crops[Domain.DEGRADED].images)
    if noise.std() < ROUNDING:
        return {}
    crops = snapshot.crops[Domain.CLEAN]
    own = _energy(snapshot.encoded[Domain.CLEAN].z)

    def excess(strength: float) -> float:
        noisy = crops._replace(dequantized=crops.dequantized + strength * noise)
        energy = _energy(snapshot.encode(noisy, Domain.CLEAN).z)
        return float((energy - own).median()) / strength**2

    return {"saturation": excess(STRONG) / excess(WEAK)}


def find(history: History, run: Run) -> Finding | None:
    """Whether the flow reacts to the noise that it encodes."""
    if not history.series("saturation"):
        return None
    value = history.last("saturation")
    measured = f"{value:.2f} (1: the latents grow with the noise as they should)"
    if LOWEST <= value <= HIGHEST:
        return Finding(measured)
    if run.architecture.coupling == "affine":
        return Finding(measured, "the couplings take noise for texture: set architecture.coupling=additive")
    return Finding(measured, "the flow is not linear in the noise: fewer steps, or a lower learning rate")


def _energy(z: Latents) -> Tensor:
    """Mean square of each crop's latents."""
    return torch.cat([level.flatten(1) for level in z], dim=1).square().mean(1)


SATURATION = Monitor("latent saturation", measure, find)
