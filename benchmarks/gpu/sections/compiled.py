"""Compiled: first a shallow network, which takes a while, then the full one, which may take longer than there is."""

import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from benchmarks.deflow.networks import images, network
from benchmarks.deflow.works import CHOICES, TrainingStep
from benchmarks.gpu.arithmetic import arithmetic
from benchmarks.gpu.clock import release, timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from flowkit_deflow import Domain

__all__ = ["rows"]

KIND = "TF32"


def rows(setting: Setting) -> Iterator[Row]:
    """Encoding and decoding of a crop given h, and a training step, each beside the same uncompiled."""
    sizes = setting.sizes
    for steps in sorted({sizes.shallow_steps, sizes.aim.steps}):
        yield from _both_ways(setting, steps)
        yield from _training(setting, steps)


@torch.no_grad()
def _both_ways(setting: Setting, steps: int) -> Iterator[Row]:
    device, sizes = setting.device, setting.sizes
    model = network(replace(sizes.aim, steps=steps)).to(device).eval()
    x = images(1, sizes.crop, sizes.crop).to(device)
    bound = model.bijector.bind(model.h(x, Domain.CLEAN))

    def encode_and_decode() -> torch.Tensor:
        return bound.inverse(bound(x)[0])[0]

    with arithmetic(KIND, device):
        plainly = timed(encode_and_decode, device, sizes.seconds)
        compiled = torch.compile(encode_and_decode, dynamic=False, backend=sizes.compiler)
        start = time.perf_counter()
        compiled()
        taken = time.perf_counter() - start
        yield _row(steps, "encode and decode under bind", plainly, timed(compiled, device, sizes.seconds), taken)


def _training(setting: Setting, steps: int) -> Iterator[Row]:
    device, sizes = setting.device, setting.sizes
    crops = images(sizes.crops, sizes.crop, sizes.crop).to(device)
    step = TrainingStep(CHOICES["flowkit"], network(replace(sizes.aim, steps=steps)).to(device), crops)
    with arithmetic(KIND, device):
        plainly = timed(step, device, sizes.seconds)
        step.log_prob = torch.compile(step.log_prob, dynamic=False, backend=sizes.compiler)
        start = time.perf_counter()
        step()
        taken = time.perf_counter() - start
        yield _row(steps, f"training step of {len(crops)} crops", plainly, timed(step, device, sizes.seconds), taken)
    del step
    release(device)


def _row(steps: int, work: str, plainly: Row, compiled: Row, taken: float) -> Row:
    return {
        "steps of a level": steps,
        "work": work,
        "arithmetic": KIND,
        "seconds": plainly["seconds"],
        "seconds, compiled": compiled["seconds"],
        "times faster compiled": plainly["seconds"] / compiled["seconds"],
        "seconds to compile": taken,
    }
