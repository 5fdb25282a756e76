"""Images per second through a network, by batch and resolution."""

from collections.abc import Iterator
from itertools import product

import torch

from benchmarks.deflow.networks import images, network
from benchmarks.gpu.arithmetic import HALF, arithmetic
from benchmarks.gpu.clock import release, timed
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from flowkit_deflow import Domain

__all__ = ["rows"]


@torch.no_grad()
def rows(setting: Setting, name: str) -> Iterator[Row]:
    """Both directions, what depends on h included.

    Args:
        setting: the device and the sizes.
        name: ``aim`` or ``ntire``.
    """
    device, sizes = setting.device, setting.sizes
    model = network(getattr(sizes, name)).to(device).eval()
    bijector = model.bijector
    for side, batch in product(sizes.sides, sizes.batches):
        given = {"side": side, "batch": batch}
        try:
            x = images(batch, side, side).to(device)
            h = model.h(x, Domain.CLEAN)
            for kind in ("TF32", HALF):
                with arithmetic(kind, device):
                    z, _ = bijector.bind(h)(x)
                    forward = timed(lambda x=x, h=h: bijector.bind(h)(x), device, sizes.seconds)  # type: ignore[misc]
                    inverse = timed(lambda z=z, h=h: bijector.bind(h).inverse(z), device, sizes.seconds)  # type: ignore[misc]
                del z
                yield {
                    **given,
                    "arithmetic": kind,
                    "forward, images/s": batch / forward["seconds"],
                    "inverse, images/s": batch / inverse["seconds"],
                    "forward, seconds": forward["seconds"],
                    "inverse, seconds": inverse["seconds"],
                }
        except torch.OutOfMemoryError as error:
            yield {**given, "error": str(error)}
        release(device)
