"""What less precise arithmetic does to log-likelihoods."""

from collections.abc import Iterator

from benchmarks.deflow.networks import network
from benchmarks.deflow.precision import bits
from benchmarks.gpu.arithmetic import ARITHMETICS, arithmetic
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting

__all__ = ["rows"]


def rows(setting: Setting) -> Iterator[Row]:
    """Bits per dimension of an image of each domain, and how far they are from those in float32."""
    device, sizes = setting.device, setting.sizes
    model = network(sizes.aim).to(device).eval()
    exact: list[float] = []
    for kind in ARITHMETICS:
        with arithmetic(kind, device):
            found = bits(model, sizes.crop)
        exact = exact or found
        for domain, value, reference in zip(("clean", "degraded"), found, exact, strict=True):
            yield {
                "an image taken for": domain,
                "arithmetic": kind,
                "bits per dimension": value,
                "difference": value - reference,
            }
