"""How far each generated image's noise is distributed from the real noise on the same clean image."""

import numpy as np

from flowkit_deflow.evaluation.divergence import row_divergences
from flowkit_deflow.evaluation.image_histograms import ImageHistograms
from flowkit_deflow.evaluation.quantity import Distance, Share
from flowkit_deflow.evaluation.unit import NATS

__all__ = ["PER_IMAGE_DIVERGENCE", "per_image_kl"]


def per_image_kl(real: ImageHistograms, other: ImageHistograms) -> float:
    """The mean over the real images of KL(real image || images of the same clean one).

    The pooled divergence forgives noise that is drawn from the right images in the wrong places; this one does not:
    real noise taken from another image is far off.

    Args:
        real: the real images.
        other: images of the same clean images.

    Returns:
        In nats, the mean over the channels.
    """
    names = list(real.counts)
    p, q = (np.stack([histograms.counts[name] for name in names]) for histograms in (real, other))
    return float(np.average(row_divergences(p, q).mean(-1), weights=[real.images[name] for name in names]))


PER_IMAGE_KL = Distance(
    key="per_image_kl",
    name="KL per image [nats]",
    unit=NATS,
    statistic=ImageHistograms,
    value=per_image_kl,
    interval=True,
)
PER_IMAGE_KL_SHARE = Share(
    key="per_image_kl_ratio", name="  as a share of white's", distance=PER_IMAGE_KL, interval=True
)
PER_IMAGE_DIVERGENCE = (PER_IMAGE_KL, PER_IMAGE_KL_SHARE)
