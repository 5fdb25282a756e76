"""Elementwise transforms, given their parameters, and the scale functions that they take."""

from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine
from flowkit.transforms.scale import BoundedLogScale, SigmoidScale
from flowkit.transforms.transform import Transform, split_parameters

__all__ = ["Additive", "Affine", "BoundedLogScale", "SigmoidScale", "Transform", "split_parameters"]
