"""A training step."""

from collections.abc import Iterator

import torch

from benchmarks.deflow.networks import images, network
from benchmarks.deflow.works import CHOICES, TrainingStep
from benchmarks.gpu.arithmetic import HALF, arithmetic
from benchmarks.gpu.clock import release, timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sections.degrading import VARIANTS
from benchmarks.gpu.sizes import Setting

__all__ = ["rows"]


def rows(setting: Setting) -> Iterator[Row]:
    """Loss, gradients and Adam's step for crops, all stored, beside a plain evaluation of the same network."""
    device, sizes = setting.device, setting.sizes
    crops = images(sizes.crops, sizes.crop, sizes.crop).to(device)
    plain = 0.0
    for implementation, kind in VARIANTS:
        step = TrainingStep(CHOICES[implementation], network(sizes.aim).to(device), crops)
        if half := kind == HALF:
            # As trainers do: the backward pass takes the types of the forward pass.
            step.log_prob = torch.autocast(device.type, torch.bfloat16)(step.log_prob)
        with arithmetic("TF32" if half else kind, device):
            loss = float(step())
            timing = timed(step, device, sizes.seconds)
        del step
        release(device)
        plain = plain or timing["seconds"]
        yield {
            "crops": len(crops),
            "implementation": implementation,
            "arithmetic": kind,
            **timing,
            "times faster than plain": plain / timing["seconds"],
            "loss": loss,
        }
