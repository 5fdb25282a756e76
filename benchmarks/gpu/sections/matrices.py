"""What the device can do at best, and how much of it the conditioning convolutions reach."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.deflow.networks import images, network
from benchmarks.gpu.arithmetic import ARITHMETICS, HALF, arithmetic
from benchmarks.gpu.clock import timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from benchmarks.products import count
from flowkit import ContextMap
from flowkit.nn import MixedResolution
from flowkit_deflow import Domain

__all__ = ["rows"]


@torch.no_grad()
def rows(setting: Setting) -> Iterator[Row]:
    """Matrix products in each arithmetic; then convolutions in bfloat16, as shares of the product in bfloat16."""
    device, sizes = setting.device, setting.sizes
    peak = 0.0
    for name in ARITHMETICS:
        a, b = (torch.randn(sizes.matrix, sizes.matrix, device=device) for _ in range(2))
        if name == HALF:
            # The product alone, without the conversion.
            a, b = a.bfloat16(), b.bfloat16()
        with arithmetic(name, device):
            row = _rate(2 * sizes.matrix**3, timed(lambda a=a, b=b: a @ b, device, sizes.seconds))  # type: ignore[misc]
        peak = row["TFLOP/s"]
        yield {"what": f"matrix product, {sizes.matrix} x {sizes.matrix}", "arithmetic": name, **row}
    yield from _conditioning(setting, peak)


def _conditioning(setting: Setting, peak: float) -> Iterator[Row]:
    """What of the AIM network depends on h alone, the encoder and all behind it; and one dense convolution a level."""
    device, sizes = setting.device, setting.sizes
    model = network(sizes.aim).to(device).eval()
    assert isinstance(model.bijector, ContextMap)
    encoder, conditional = model.bijector.function, model.bijector.bijector
    side = sizes.sides[min(1, len(sizes.sides) - 1)]
    x = images(sizes.batches[-1], side, side).to(device)
    h = model.h(x, Domain.CLEAN)
    with arithmetic(HALF, device):
        maps = encoder(h)
        given = f"{len(x)} images of {side} x {side}"
        for what, work in {
            "encoder": lambda: encoder(h),
            "conditioning convolutions": lambda: conditional.bind(maps),
        }.items():
            _, multiply_adds = count(work)
            found = _rate(2 * multiply_adds, timed(work, device, sizes.seconds))
            yield _share({"what": f"{what}, {given}", "arithmetic": HALF, **found}, peak)
    for level, features in enumerate(maps, 1):
        dense = features.dense() if isinstance(features, MixedResolution) else features
        yield _share(_dense(level, dense.bfloat16(), sizes.aim.hidden_channels, setting), peak)


def _dense(level: int, x: Tensor, channels: int, setting: Setting) -> dict[str, Any]:
    """One convolution of a level's features as they are concatenated, as the published program does it."""
    x = x.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, x.shape[1], 3, 3, device=x.device, dtype=x.dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    flops = 2 * x.numel() * channels * 9
    found = _rate(flops, timed(lambda: F.conv2d(x, weight, padding=1), setting.device, setting.sizes.seconds))
    size = " x ".join(map(str, x.shape))
    return {"what": f"one dense convolution of level {level}, {size}", "arithmetic": "bfloat16", **found}


def _rate(flops: int, timing: dict[str, Any]) -> dict[str, Any]:
    return {"seconds": timing["seconds"], "spread": timing["spread"], "TFLOP/s": flops / timing["seconds"] / 1e12}


def _share(row: dict[str, Any], peak: float) -> dict[str, Any]:
    return {**row, "share of the product": row["TFLOP/s"] / peak}
