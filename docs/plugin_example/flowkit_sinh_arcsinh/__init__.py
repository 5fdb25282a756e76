"""A flowkit plugin, as an example: the sinh-arcsinh transform, and a flow of it."""

from flowkit_sinh_arcsinh.model import sinh_arcsinh_flow
from flowkit_sinh_arcsinh.transform import SinhArcsinh

__all__ = ["SinhArcsinh", "sinh_arcsinh_flow"]
