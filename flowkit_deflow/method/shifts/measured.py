"""The face of shifts that are measured after training, with the flow as it is."""

from abc import abstractmethod

from torch import Tensor

from flowkit_deflow.method.shifts.moments import ClassMoments
from flowkit_deflow.method.shifts.shift import DomainShift

__all__ = ["MeasuredShift"]


class MeasuredShift(DomainShift):
    """A shift whose moments come from the latents of unpaired images, per class of places of h.

    It is measured in two passes over images of both domains: the first lays out the classes, the second adds up the
    latents' moments in each. ``flowkit_deflow.training.shift_inference.infer_shifts`` makes both.

    Args:
        channels: channels of the level's latents.
    """

    @property
    @abstractmethod
    def classes(self) -> int:
        """Number ``K`` of classes of places."""

    @abstractmethod
    def place_features(self, h: Tensor | None, size: tuple[int, int]) -> Tensor | None:
        """What decides a place's class, ``B x F x H x W``; ``None`` if there is one class."""

    @abstractmethod
    def lay_out_classes(self, features: Tensor) -> None:
        """Place the classes by the features ``F x N`` of the places of both domains."""

    @abstractmethod
    def class_weights(self, h: Tensor | None, batch: int, size: tuple[int, int]) -> Tensor:
        """How much each place belongs to each class, ``B x K x H x W``; the weights of a place add up to 1."""

    @abstractmethod
    def measure(self, clean: ClassMoments, degraded: ClassMoments) -> None:
        """Take the shift from the sums over the clean images' latents and over the degraded ones'."""

    @abstractmethod
    def measure_pairs(self, clean: ClassMoments, differences: ClassMoments) -> None:
        """Take the shift from the sums over the clean images' latents and over the pairs' differences of latents."""
