"""Degrading one image, once and several times."""

from collections.abc import Callable, Iterator
from functools import partial

from torch import Tensor

from benchmarks.deflow.networks import images, network
from benchmarks.deflow.works import DEGRADE
from benchmarks.gpu.arithmetic import HALF, arithmetic
from benchmarks.gpu.clock import timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from flowkit_deflow import DeFlow

__all__ = ["VARIANTS", "rows"]

VARIANTS = (("plain", "TF32"), ("flowkit", "float32"), ("flowkit", "TF32"), ("flowkit", HALF))
"""Implementation and arithmetic."""


def rows(setting: Setting) -> Iterator[Row]:
    """One version of an image, then several, beside a plain evaluation of the same network."""
    device, sizes = setting.device, setting.sizes
    model = network(sizes.aim).to(device).eval()
    image = images(1, sizes.crop, sizes.crop).to(device)
    for samples in (1, sizes.samples):
        plain = 0.0
        for implementation, kind in VARIANTS:
            degrade: Callable[[DeFlow, Tensor, int], Tensor] = DEGRADE[implementation]
            with arithmetic(kind, device):
                timing = timed(partial(degrade, model, image, samples), device, sizes.seconds)
            plain = plain or timing["seconds"]
            yield {
                "samples of one image": samples,
                "implementation": implementation,
                "arithmetic": kind,
                **timing,
                "times faster than plain": plain / timing["seconds"],
            }
