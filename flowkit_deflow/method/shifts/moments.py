"""Mean and covariance of latents per class of places, added up batch by batch."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

__all__ = ["ClassMoments", "Moments"]


class Moments(NamedTuple):
    """Moments of a level's latents in each of ``K`` classes.

    Attributes:
        mean: ``K x C``, float64.
        covariance: ``K x C x C``, float64, of the population (divided by the count).
    """

    mean: Tensor
    covariance: Tensor


class ClassMoments:
    r"""Sums from which weighted means and covariances follow; what was added is not kept.

    .. math:: n_k = \sum_p w_{pk}, \qquad \bar z_k = \frac{1}{n_k} \sum_p w_{pk} z_p, \qquad
              \Sigma_k = \frac{1}{n_k} \sum_p w_{pk} z_p z_p^\top - \bar z_k \bar z_k^\top

    Args:
        classes: number ``K`` of classes.
        channels: channels ``C`` of the latents.

    Examples:
        >>> moments = ClassMoments(classes=1, channels=1)
        >>> moments.add(torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 2), torch.ones(1, 1, 1, 2))
        >>> moments.per_class()
        Moments(mean=tensor([[2.]], dtype=torch.float64), covariance=tensor([[[1.]]], dtype=torch.float64))
    """

    def __init__(self, classes: int, channels: int) -> None:
        # On the CPU, since not every device has float64.
        self.count = torch.zeros(classes, dtype=torch.float64)
        self.sum = torch.zeros(classes, channels, dtype=torch.float64)
        self.products = torch.zeros(classes, channels, channels, dtype=torch.float64)

    def add(self, z: Tensor, weights: Tensor) -> None:
        """Add latents.

        Args:
            z: ``B x C x H x W``.
            weights: how much each position belongs to each class, ``B x K x H x W``, not negative.
        """
        z, weights = (values.detach().cpu().double().movedim(1, 0).flatten(1) for values in (z, weights))
        self.count += weights.sum(1)
        self.sum += weights @ z.T
        for products, weight in zip(self.products, weights, strict=True):
            products += (weight * z) @ z.T

    def per_class(self) -> Moments:
        """The moments of every class; not a number in a class without places."""
        return _moments(self.count, self.sum, self.products)

    def pooled(self) -> Moments:
        """The moments of all classes together, as of one class."""
        return _moments(*(sums.sum(0, keepdim=True) for sums in (self.count, self.sum, self.products)))

    def with_pooled_below(self, least: float, *others: Self) -> Moments:
        """The moments of every class, and the pooled ones where a class has too few places here or in ``others``.

        Args:
            least: places that a class needs.
            others: sums over the same classes, whose counts have to suffice too.
        """
        few = torch.stack([moments.count < least for moments in (self, *others)]).any(0)
        own, pooled = self.per_class(), self.pooled()
        return Moments(
            torch.where(few[:, None], pooled.mean, own.mean),
            torch.where(few[:, None, None], pooled.covariance, own.covariance),
        )


def _moments(count: Tensor, total: Tensor, products: Tensor) -> Moments:
    mean = total / count[:, None]
    return Moments(mean, products / count[:, None, None] - mean[:, :, None] * mean[:, None, :])
