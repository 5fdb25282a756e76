r"""
From two folders to a restored photograph
=========================================

What degrades photographs is learned from two unrelated folders, and a network is trained to undo it: on clean
photographs that the learned degradation has spoilt, since no pairs are needed. Here the two take half a minute of a
processor's time, on photographs that come with scikit-image.

In a shell the same is two commands, with more patience::

    deflow restorer train --clean data/clean --degraded data/degraded --scale 1 --out run
    deflow restorer apply run data/held_out restored
"""

# %%
# Two folders
# -----------
#
# The camera here makes noise that grows with brightness, and that neighbouring pixels share. The photographs are cut
# into squares like a chessboard: one half stays clean, the other half is degraded, so no square is in both folders.

# sphinx_gallery_thumbnail_number = 1
import logging
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 64
random = np.random.default_rng(0)


def camera(photograph: np.ndarray) -> np.ndarray:
    """A photograph ``H x W x 3`` of 8 bits as a bad camera takes it."""
    grain = gaussian_filter(random.standard_normal(photograph.shape), (0.6, 0.6, 0))
    light = photograph / 255
    noisy = (
        light + (0.02 + 0.12 * light.mean(-1, keepdims=True)) * grain / grain.std()
    )
    return (255 * noisy.clip(0, 1)).astype(np.uint8)


def write(folder: Path, name: str, pixels: np.ndarray) -> None:
    """Save a PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.png")


data = Path(tempfile.mkdtemp())
for name in ("astronaut", "coffee", "rocket"):
    photograph = getattr(skimage.data, name)()
    degraded = camera(photograph)
    for row in range(photograph.shape[0] // SIDE):
        for column in range(photograph.shape[1] // SIDE):
            top, left = row * SIDE, column * SIDE
            square = np.s_[top : top + SIDE, left : left + SIDE]
            folder, pixels = (
                ("clean", photograph)
                if (row + column) % 2 == 0
                else ("degraded", degraded)
            )
            write(data / folder, f"{name}_{row}_{column}", pixels[square])

# %%
# The degradation
# ---------------
#
# DeFlow is what ``deflow restorer train`` learns on its own accord. Quicker, and enough for a camera like this, is the
# degrader ``camera``: it measures the noise at the flat places of both folders, by brightness, with its grain. Any
# other kind takes the same line, as it does on the command line (``--degrader pdm``).

from flowkit_deflow.degraders.learning.learn import learn_by
from flowkit_deflow.degraders.learning.registry import LEARNERS
from flowkit_deflow.settings.text import override

learner = LEARNERS["camera"]
folders = [f"data.clean={data / 'clean'}", f"data.degraded={data / 'degraded'}"]
learn_by(learner, override(learner.preset(None), folders), data / "degrader")

# %%
# The network
# -----------
#
# The preset ``small`` is made for minutes on two cores. This run is cut shorter, and its network is narrower.

from flowkit_deflow.restoration.training.trainer import train_restorer
from flowkit_deflow.settings.restoration_presets import restorer_preset

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
run = override(
    restorer_preset("small"),
    [
        f"data.clean={data / 'clean'}",
        f"data.degrader={data / 'degrader'}",
        "architecture.features=16",
        "architecture.blocks=2",
        "scale=1",
        "data.crop=32",
        "training.steps=250",
        "learning_rate=3e-3",
        "training.workers=0",
    ],
)
restorer, problems = train_restorer(run, data / "run", progress=False)

# %%
# A photograph that is new to it
# ------------------------------
#
# The cat is in neither folder. Here the clean picture is known, so the result can be measured as well: ``deflow
# metrics`` does so for folders, and without clean pictures by NIQE, BRISQUE and PIQE.

import torch

from flowkit_deflow.evaluation.metrics.psnr import psnr

cat = skimage.data.chelsea()[40:240, 90:330]


def as_tensor(pixels: np.ndarray) -> torch.Tensor:
    """``H x W x 3`` of 8 bits as ``1 x 3 x H x W`` in [0, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


clean, noisy = as_tensor(cat), as_tensor(camera(cat))
pictures = {"degraded": noisy, "restored": restorer.restore(noisy), "clean": clean}

figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    if title != "clean":
        title = f"{title}: PSNR {psnr(picture, clean).item():.1f} dB"
    axis.imshow(picture[0].permute(1, 2, 0), interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()
    print(title)

# %%
# How well it goes depends on the degradation that was learned: :doc:`/howto/compare-degraders` says how to find the one
# that serves your photographs best, and :doc:`/howto/restore-photographs` how to go on from here.
