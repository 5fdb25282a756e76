"""Mean and covariance of latents per class of places, added up batch by batch."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

__all__ = ["ClassMoments", "Moments"]

GROUPS = 8  # of images


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

    The images are dealt out to a few groups, whose sums are kept apart: how far the moments change without each of them
    tells how well they are known.

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
        self._count = torch.zeros(GROUPS, classes, dtype=torch.float64)
        self._sum = torch.zeros(GROUPS, classes, channels, dtype=torch.float64)
        self._products = torch.zeros(GROUPS, classes, channels, channels, dtype=torch.float64)

    @property
    def count(self) -> Tensor:
        """Places in each class, ``K``."""
        return self._count.sum(0)

    @property
    def channels(self) -> int:
        """Channels ``C`` of the latents."""
        return self._sum.shape[-1]

    def add(self, z: Tensor, weights: Tensor, images: Tensor | None = None) -> None:
        """Add latents.

        Args:
            z: ``B x C x H x W``.
            weights: how much each position belongs to each class, ``B x K x H x W``, not negative.
            images: numbers of the images that they are from, ``B``; ``None``: all of one image.
        """
        z, weights = (values.detach().cpu().double().movedim(1, 0).flatten(2) for values in (z, weights))
        groups = torch.zeros(z.shape[1], dtype=torch.int64) if images is None else images.cpu() % GROUPS
        for group in groups.unique().tolist():
            columns, shares = (values[:, groups == group].flatten(1) for values in (z, weights))
            self._count[group] += shares.sum(1)
            self._sum[group] += shares @ columns.T
            for products, share in zip(self._products[group], shares, strict=True):
                products += (share * columns) @ columns.T

    def per_class(self) -> Moments:
        """The moments of every class; not a number in a class without places."""
        return _moments(self.count, self._sum.sum(0), self._products.sum(0))

    def pooled(self) -> Moments:
        """The moments of all classes together, as of one class."""
        return _moments(*(sums.sum((0, 1))[None] for sums in (self._count, self._sum, self._products)))

    def variance_of_total(self) -> Tensor:
        r"""How far the total variance of each class is from that of many more images, squared; ``K``.

        The jackknife's estimate: :math:`\frac{g - 1}{g} \sum_i (t_{-i} - \bar t)^2` for the traces :math:`t_{-i}` of
        the covariances without the i-th of ``g`` groups of images. Infinite where a group alone holds the class, and
        zero where all images are in one group, of which nothing can be said.
        """
        filled = [group for group in range(GROUPS) if self._count[group].any()]
        if len(filled) < 2:
            return torch.zeros(len(self.count), dtype=torch.float64)
        sums = (self._count, self._sum, self._products)
        without = [_moments(*(values.sum(0) - values[group] for values in sums)) for group in filled]
        traces = torch.stack([moments.covariance.diagonal(dim1=-2, dim2=-1).sum(-1) for moments in without])
        spread = (traces - traces.mean(0)).square().sum(0) * (len(filled) - 1) / len(filled)
        return spread.nan_to_num(nan=torch.inf)

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
