r"""
A conditional multi-scale image flow
====================================

A flow in the manner of Glow, put together of its parts: levels of squeeze, actnorm, invertible convolution and
coupling, half of the channels leaving after each level, everything conditioned on a class. The images are the
handwritten digits of scikit-learn, 8 x 8 pixels, so that half a minute of training is enough.
"""

# %%
# The data
# --------
#
# Pixels have 17 grey levels. A density needs numbers that are spread out: :class:`~flowkit.UniformDequantization` adds
# noise of the width of one level, and the likelihood of the noisy image bounds that of the discrete one.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from flowkit import UniformDequantization

LEVELS = 17
digits = load_digits()
images = (
    torch.from_numpy(digits.images).float()[:, None] + 0.5
) / LEVELS  # N x 1 x 8 x 8, within (0, 1)
classes = torch.from_numpy(digits.target)
torch.manual_seed(0)
order = torch.randperm(len(images))
train, test = order[:1500], order[1500:]
dequantize = UniformDequantization(LEVELS)
print(f"{len(train)} images to train on, {len(test)} held out")

# %%
# The flow
# --------
#
# A level halves the resolution and has four times the channels. Within a level, the coupling's network sees the kept
# half of the channels and the context; :class:`~flowkit.ConvConditioner` computes the context's part of its first
# layer once. The context is a class, an integer. :class:`~flowkit.ContextMap` puts a module before the flow that makes
# a map for each level of it, and lets each level see its own.

from operator import itemgetter

from flowkit import (
    ActNorm,
    Chain,
    ContextMap,
    ConvConditioner,
    Coupling,
    FactorOut,
    Flow,
    LogitPreprocessing,
    LUConv1x1,
    MultiScale,
    Squeeze,
    StandardNormal,
    ZeroConv2d,
    initialize,
)

CONTEXT = 16


class ClassMaps(nn.Module):
    """A learned vector for each class, repeated over the positions of each level."""

    def __init__(self, sides: tuple[int, ...]) -> None:
        super().__init__()
        self.sides = sides
        self.vectors = nn.Embedding(10, CONTEXT)

    def forward(self, label: Tensor) -> list[Tensor]:
        """``B`` integers to ``B x CONTEXT x side x side`` for each level."""
        vectors = self.vectors(label)[..., None, None]
        return [
            vectors.expand(*label.shape, CONTEXT, side, side) for side in self.sides
        ]


def level(
    channels: int, index: int, steps: int = 3, hidden: int = 40
) -> ContextMap:
    """A squeeze and some steps, on ``channels`` channels after the squeeze."""
    parts = [Squeeze()]
    kept = channels // 2
    for _ in range(steps):
        network = ConvConditioner(
            kept, 2 * (channels - kept), hidden, context_channels=CONTEXT
        )
        parts += [
            ActNorm(channels),
            LUConv1x1(channels),
            Coupling(channels, network),
        ]
    return ContextMap(Chain(parts), itemgetter(index))


torch.manual_seed(0)
# 1 x 8 x 8 becomes 4 x 4 x 4; two channels leave, and 2 x 4 x 4 becomes 8 x 2 x 2.
pyramid = MultiScale([level(4, 0), level(8, 1)], [FactorOut(4, ZeroConv2d(2, 4))])
bijector = Chain(
    [LogitPreprocessing(), ContextMap(pyramid, ClassMaps(sides=(4, 2)))]
)
flow = Flow(bijector, StandardNormal(event_dims=3), event_shape=(1, 8, 8))

print("latents:", bijector.output_shape((1, 8, 8)))
print(f"parameters: {sum(p.numel() for p in flow.parameters()):,}")

# %%
# Training
# --------
#
# Actnorms start from a batch of data: :func:`~flowkit.initialize` runs one through the flow, once.
# :func:`~flowkit.bits_per_dim` turns the log-likelihood into the length of a code for the discrete image.

initialize(flow.bijector, dequantize(images[train])[0], classes[train])

STEPS, BATCH = 450, 96
optimizer = torch.optim.Adam(flow.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
bits = []
for _ in range(STEPS):
    batch = train[torch.randint(len(train), (BATCH,))]
    noisy, _ = dequantize(images[batch])
    loss = flow.bits_per_dim(noisy, classes[batch], bins=LEVELS).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    bits.append(loss.item())
flow.eval()
with torch.no_grad():
    held_out = flow.bits_per_dim(
        dequantize(images[test])[0], classes[test], bins=LEVELS
    ).mean()
now = sum(bits[-50:]) / 50
print(
    f"bits per dimension: {now:.2f} at the end of training, {held_out:.2f} held out"
)

# %%
# Samples of each class
# ---------------------
#
# Latents are drawn and go through the inverse, given the class. The temperature scales the draw: the less of it, the
# more typical and the less varied the digits.

TEMPERATURES = (0.5, 0.7, 0.85, 1.0)
labels = torch.arange(10)
generator = torch.Generator().manual_seed(3)
figure, axes = plt.subplots(
    len(TEMPERATURES) + 1, 10, figsize=(9, 4.9), layout="constrained"
)
rows = [
    (
        "data",
        torch.stack(
            [images[train][classes[train] == label][0] for label in labels]
        ),
    )
]
for temperature in TEMPERATURES:
    with torch.no_grad():
        drawn = flow.sample(
            10, context=labels, temperature=temperature, generator=generator
        )
    rows.append((f"T = {temperature:g}", drawn))
for line, (title, row) in zip(axes, rows, strict=True):
    for axis, image in zip(line, row, strict=True):
        axis.imshow(image[0], cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    line[0].set_ylabel(title, rotation=0, ha="right", va="center")

# %%
# One latent, ten classes
# -----------------------
#
# An image is encoded given its class, and decoded given another: slant and stroke stay, the digit changes.
# :meth:`~flowkit.Bijector.bind` makes a bijector for one class, with all that depends on the class alone computed once.

shown = [test[classes[test] == label][0] for label in (2, 5, 6, 9)]
figure, axes = plt.subplots(4, 11, figsize=(9.6, 3.8), layout="constrained")
with torch.no_grad():
    for line, index in zip(axes, shown, strict=True):
        image, label = images[index][None], classes[index][None]
        latents, _ = flow.bijector.bind(label)(image)
        row = [image] + [
            flow.bijector.bind(torch.tensor([other])).inverse(latents)[0]
            for other in range(10)
        ]
        for axis, picture in zip(line, row, strict=True):
            axis.imshow(picture[0, 0], cmap="gray_r", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        line[0].set_title("held out", fontsize=9)
        line[1 + label.item()].patch.set_linewidth(2)
        for spine in line[1 + label.item()].spines.values():
            spine.set(color="tab:red", linewidth=2)

# %%
# Red is the image's own class, which gives the image back.
#
# A density is a classifier
# -------------------------
#
# By Bayes' rule the class of an image is the one under which it is most likely. The flow was never trained to tell the
# classes apart.

with torch.no_grad():
    noisy, _ = dequantize(images[test])
    scores = torch.stack(
        [
            flow.log_prob(noisy, context=torch.tensor([label]))
            for label in range(10)
        ],
        dim=-1,
    )
found = (scores.argmax(-1) == classes[test]).float().mean()
print(f"held-out images whose class is found: {found:.1%}")
