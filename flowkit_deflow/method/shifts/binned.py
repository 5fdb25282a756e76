"""The shift that is measured after training, per class of places of h."""

import torch
from torch import Tensor, nn

from flowkit.ops import at_least_float32
from flowkit_deflow.method.shifts.blended import BlendedField
from flowkit_deflow.method.shifts.constant import ConstantField
from flowkit_deflow.method.shifts.field import ShiftField
from flowkit_deflow.method.shifts.measure import MeasuredClasses, measure, measure_pairs
from flowkit_deflow.method.shifts.measured import MeasuredShift
from flowkit_deflow.method.shifts.moments import ClassMoments
from flowkit_deflow.method.shifts.places import (
    brightness,
    contrast,
    interpolation_weights,
    quantile_centres,
    resized,
)
from flowkit_deflow.method.shifts.shift import positive_start

__all__ = ["BinnedShift"]


class BinnedShift(MeasuredShift):
    r"""Trained as the correlated shift, then measured anew per class of places of h, with the flow as it is.

    .. math:: \mu_u = 0, \qquad
              \Sigma_u(c) = \left(\operatorname{Cov}[z_y \mid c] - \operatorname{Cov}[z_x \mid c]\right)_+

    Noise depends on brightness and on texture, which one covariance for all positions cannot follow. The classes
    :math:`c` are bins of h's brightness and, within each, of its contrast, their centres at quantiles of the places of
    both domains. Between centres, square roots of the covariances are blended linearly. The measured moments of the
    clean latents take the place of the standard normal in the posterior.

    Before it is measured, it is the :class:`~flowkit_deflow.CorrelatedShift` that it was trained as, and by that
    likelihood degraded latents are always scored.

    Args:
        channels: channels of the level's latents.
        start: the trained ``M`` starts as ``start * I``.
        classes: bins of brightness and of contrast, at least 1 each; (1, 1) measures all places together, and needs
            no h.

    Raises:
        ValueError: ``start`` is not positive, or a number of classes is under 1.

    Examples:
        >>> shift = BinnedShift(2, classes=(2, 1))
        >>> shift.classes, bool(shift.measured)
        (2, False)
    """

    measured: Tensor
    brightness_centres: Tensor
    contrast_centres: Tensor
    class_mean: Tensor
    class_root: Tensor
    clean_mean: Tensor
    clean_root: Tensor

    def __init__(self, channels: int, start: float = 0.01, classes: tuple[int, int] = (6, 3)) -> None:
        super().__init__(channels)
        if min(classes) < 1:
            raise ValueError(f"classes is {classes}; expected at least one bin of brightness and one of contrast")
        self.mean = nn.Parameter(torch.zeros(channels))
        self.matrix = nn.Parameter(positive_start(start) * torch.eye(channels))
        number = classes[0] * classes[1]
        self.register_buffer("measured", torch.tensor(False))
        self.register_buffer("brightness_centres", torch.zeros(classes[0]))
        self.register_buffer("contrast_centres", torch.zeros(classes[1]))
        self.register_buffer("class_mean", torch.zeros(number, channels))
        self.register_buffer("class_root", torch.zeros(number, channels, channels))
        self.register_buffer("clean_mean", torch.zeros(number, channels))
        self.register_buffer("clean_root", torch.zeros(number, channels, channels))

    @property
    def factor(self) -> Tensor:
        """``M`` as it was trained."""
        return self.matrix

    def at(self, h: Tensor | None, size: tuple[int, int]) -> ShiftField:
        """What was measured, blended at the places of h; the trained shift before that."""
        if not bool(self.measured):
            return self.scored_at(h, size)
        batch = 1 if h is None else len(h)
        classes = MeasuredClasses(self.class_mean, self.class_root, self.clean_mean, self.clean_root)
        return BlendedField(self.class_weights(h, batch, size), classes)

    def scored_at(self, h: Tensor | None, size: tuple[int, int]) -> ConstantField:
        """The trained shift, the same at every position."""
        return ConstantField(self.mean, self.matrix)

    @property
    def classes(self) -> int:
        """Bins of brightness times bins of contrast."""
        return len(self.class_mean)

    def place_features(self, h: Tensor | None, size: tuple[int, int]) -> Tensor | None:
        """Brightness and contrast, ``B x 2 x H x W``."""
        if self.classes == 1:
            return None
        if h is None:
            raise ValueError(
                f"this shift was made for {self.classes} classes of places of h, and there is no h; pass the h that "
                "the flow is conditioned on"
            )
        return resized(torch.cat([brightness(h), contrast(h)], 1), size)

    @torch.no_grad()
    def lay_out_classes(self, features: Tensor) -> None:
        """Centres at quantiles of brightness and of contrast."""
        for centres, values in zip((self.brightness_centres, self.contrast_centres), features, strict=True):
            centres.copy_(quantile_centres(values, len(centres)))

    def class_weights(self, h: Tensor | None, batch: int, size: tuple[int, int]) -> Tensor:
        """Products of the weights of the bins of brightness and of contrast."""
        features = self.place_features(h, size)
        if features is None:
            return self.class_mean.new_ones(batch, 1, *size)
        centres = (at_least_float32(self.brightness_centres), at_least_float32(self.contrast_centres))
        light, texture = (
            interpolation_weights(values, points.to(values))
            for values, points in zip(features.unbind(1), centres, strict=True)
        )
        return (light[:, :, None] * texture[:, None]).flatten(1, 2)

    def measure(self, clean: ClassMoments, degraded: ClassMoments) -> None:
        """Take every class's covariances; see :func:`~flowkit_deflow.method.shifts.measure.measure`."""
        self._set(measure(clean, degraded))

    def measure_pairs(self, clean: ClassMoments, differences: ClassMoments) -> None:
        """Take every class's means and covariances of the differences."""
        self._set(measure_pairs(clean, differences))

    @torch.no_grad()
    def _set(self, measured: MeasuredClasses) -> None:
        buffers = (self.class_mean, self.class_root, self.clean_mean, self.clean_root)
        for buffer, values in zip(buffers, measured, strict=True):
            buffer.copy_(values)
        self.measured.fill_(True)
