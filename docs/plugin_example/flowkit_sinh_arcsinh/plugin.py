"""What this package offers to flowkit."""

from flowkit import Elementwise, Plugin
from flowkit.testing import Case
from flowkit_sinh_arcsinh.model import sinh_arcsinh_flow
from flowkit_sinh_arcsinh.transform import SinhArcsinh

__all__ = ["PLUGIN"]


def _elementwise() -> Elementwise:
    return Elementwise(SinhArcsinh(), (3,))


PLUGIN = Plugin(
    models={"sinh-arcsinh": sinh_arcsinh_flow},
    bijectors={
        "sinh-arcsinh": Case(_elementwise, event=(3,)),
        "sinh-arcsinh flow": Case(
            lambda: sinh_arcsinh_flow(3, layers=2).bijector, event=(3,)
        ),
    },
)
