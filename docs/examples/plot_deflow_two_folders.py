r"""
DeFlow: from two folders to degraded images
===========================================

What a camera does to a picture is hard to write down, and pairs of a clean and a degraded photograph of the same scene
are hard to come by. DeFlow learns the degradation from two folders that share no scene. Here it is done on photographs
that come with scikit-image, small enough for half a minute.

In a shell the same is three commands::

    deflow train --clean data/clean --degraded data/degraded --preset small --out run
    deflow degrade run/model data/held_out/clean generated
    deflow evaluate generated data/held_out/degraded --clean data/held_out/clean
"""

# %%
# Two folders
# -----------
#
# The camera here makes noise that grows with brightness and has a soft grain, since neighbouring pixels share it. The
# model is told nothing of that. The photographs are cut into squares like a chessboard: the white squares stay clean,
# the black ones are degraded, so no square is in both folders.

# sphinx_gallery_thumbnail_number = 2
import logging
import tempfile
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 64
random = np.random.default_rng(0)


def camera(photograph: np.ndarray) -> np.ndarray:
    """A photograph ``H x W x 3`` of 8 bits as a bad camera takes it."""
    grain = gaussian_filter(random.standard_normal(photograph.shape), (0.8, 0.8, 0))
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
    clean = getattr(skimage.data, name)()
    degraded = camera(clean)
    for row in range(clean.shape[0] // SIDE):
        for column in range(clean.shape[1] // SIDE):
            top, left = row * SIDE, column * SIDE
            square = np.s_[top : top + SIDE, left : left + SIDE]
            white = (row + column) % 2 == 0
            folder, pixels = ("clean", clean) if white else ("degraded", degraded)
            write(data / folder, f"{name}_{row}_{column}", pixels[square])

cat = skimage.data.chelsea()[40:240, 90:330]
write(data / "held_out" / "clean", "cat", cat)
write(data / "held_out" / "degraded", "cat", camera(cat))

figure, axes = plt.subplots(2, 8, figsize=(10, 2.9), layout="constrained")
for line, domain in zip(axes, ("clean", "degraded"), strict=True):
    for axis, path in zip(
        line, sorted((data / domain).glob("*.png"))[10::9], strict=False
    ):
        axis.imshow(Image.open(path))
        axis.set_axis_off()
    count = len(list((data / domain).iterdir()))
    line[0].set_title(f"{domain}: {count} squares", loc="left", fontsize=10)

# %%
# Training
# --------
#
# A preset holds all settings; any of them can be changed by name, as ``--set`` does on the command line. These make the
# small preset smaller still, and quick.

from flowkit_deflow import preset
from flowkit_deflow.settings.text import override
from flowkit_deflow.training.trainer import train

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
run = override(
    preset("small"),
    [
        f"clean={data / 'clean'}",
        f"degraded={data / 'degraded'}",
        "training.steps=120",
        "training.batch=8",
        "architecture.steps=2",
        "hidden_channels=16",
        "learning_rate=4e-3",
        "warmup=20",
        "halve_at=[0.6, 0.8]",
    ],
)
model, problems = train(run, data / "run", progress=False)
size = sum(p.numel() for p in model.parameters())
print(f"{size:,} parameters; images that could not be read: {len(problems)}")

# %%
# Degrading
# ---------
#
# The photograph of the cat is new to the model. :meth:`~flowkit_deflow.DeFlow.degrade` encodes it, adds the learned
# shift to its latents and decodes: the content stays, since it is never generated. The temperature sets how strong the
# shift is. :meth:`~flowkit_deflow.DeFlow.restore` goes the other way.

from flowkit_deflow import SeededNoise


def as_tensor(path: Path) -> torch.Tensor:
    """An image file as ``1 x 3 x H x W`` in [0, 1]."""
    return (
        torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None].float()
        / 255
    )


clean, really_degraded = (
    as_tensor(data / "held_out" / kind / "cat.png")
    for kind in ("clean", "degraded")
)
pictures = {"clean": clean, "really degraded": really_degraded}
for temperature in (0.5, 0.75, 1.0):
    pictures[f"sample, temperature {temperature:g}"] = model.degrade(
        clean, temperature, noise=SeededNoise(0, "cat")
    )
pictures["the degraded one, restored"] = model.restore(
    really_degraded, temperature=0.0
)

figure, axes = plt.subplots(2, 3, figsize=(10, 6), layout="constrained")
for axis, (title, picture) in zip(axes.flat, pictures.items(), strict=True):
    axis.imshow(picture[0].permute(1, 2, 0), interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()

# %%
# Is it the right degradation?
# ----------------------------
#
# Noise can be measured, where both versions of a picture are known: here its deviation, by brightness, and how alike it
# is in pixels that lie some steps apart, which is its grain. (``deflow evaluate`` measures these and more, for folders,
# and without pairs too.)


def deviation_by_brightness(
    noise: torch.Tensor, levels: int = 8
) -> tuple[list[float], list[float]]:
    """Brightness (in grey levels) and the noise's deviation there."""
    grey = clean.mean(1, keepdim=True).expand_as(noise)
    edges = torch.quantile(grey, torch.linspace(0, 1, levels + 1)).tolist()
    pairs = list(pairwise(edges))
    inside = [(grey >= low) & (grey <= high) for low, high in pairs]
    return [255 * grey[mask].mean().item() for mask in inside], [
        255 * noise[mask].std().item() for mask in inside
    ]


def correlation(noise: torch.Tensor, step: int) -> float:
    """Correlation of pixels that lie ``step`` apart in a row."""
    noise = noise - noise.mean()
    shifted = noise[..., step:] * noise[..., : noise.shape[-1] - step]
    return (shifted.mean() / noise.square().mean()).item()


noises = {
    "really degraded": pictures["really degraded"] - clean,
    "sample": pictures["sample, temperature 1"] - clean,
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for (name, noise), style in zip(noises.items(), ("o-", "s--"), strict=True):
    left.plot(*deviation_by_brightness(noise), style, label=name)
    right.plot([correlation(noise, step) for step in range(6)], style, label=name)
    print(f"{name}: deviation of the noise {255 * noise.std():.1f} grey levels")
left.set(
    xlabel="brightness",
    ylabel="deviation of the noise (grey levels)",
    ylim=(0, None),
)
right.set(xlabel="distance (pixels)", ylabel="correlation of the noise")
left.legend(frameon=False)
right.legend(frameon=False)

# %%
# After 120 steps the grain is nearly right. How the noise grows with brightness comes out flattened, and on this
# picture there is somewhat too much of it: a cat's fur is finer and stronger in texture than what was trained on, and
# the model gives textured places more noise. :doc:`/explanation/what-deflow-learns` says why, and what helps.
# ``deflow demo`` trains for some minutes instead, and writes a report.
