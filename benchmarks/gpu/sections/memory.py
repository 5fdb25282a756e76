"""Peak memory of a training step, by what the backward pass finds stored."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.deflow.networks import images, network
from benchmarks.deflow.works import CHOICES, TrainingStep
from benchmarks.gpu.arithmetic import arithmetic
from benchmarks.gpu.clock import peak_bytes, release, timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from flowkit_deflow.training.activations import ACTIVATIONS

__all__ = ["rows"]


def rows(setting: Setting) -> Iterator[Row]:
    """All crops at once, in TF32; weights and Adam's moments are there before."""
    device, sizes = setting.device, setting.sizes
    crops = images(sizes.crops, sizes.crop, sizes.crop).to(device)
    # On a CPU memory is that of the process, whose peak never falls: the thriftiest comes first.
    choices = {name: replace(CHOICES["flowkit"], activations=ACTIVATIONS[name]) for name in reversed(ACTIVATIONS)}
    for name, choice in {**choices, "plain": CHOICES["plain"]}.items():
        step = TrainingStep(choice, network(sizes.aim).to(device), crops)
        step.make_moments()
        with arithmetic("TF32", device):
            before, peak = peak_bytes(step, device)
            timing = timed(step, device, sizes.seconds)
        del step
        release(device)
        yield {
            "activations": name,
            "crops": len(crops),
            "peak, GB": peak / 1e9,
            "above what was there before, GB": (peak - before) / 1e9,
            **timing,
        }
