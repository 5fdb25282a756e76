"""What training maximises: one number for each image of a batch."""

import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain, LatentLabel
from flowkit_deflow.method.model import DeFlow

__all__ = ["marginal_log_prob", "paired_log_prob"]


def marginal_log_prob(model: DeFlow, images: Tensor, domain: Tensor, h: Tensor | None) -> Tensor:
    """Log p(x | h) of clean images and log p(y | h) of degraded ones, eqs. 4a and 4b; no image needs a partner.

    Args:
        model: the network.
        images: dequantised, ``B x 3 x H x W``.
        domain: their domains, ``B`` zeros and ones.
        h: what the flow is conditioned on; ``None`` without conditioning.

    Returns:
        ``B`` numbers, natural log.
    """
    return model.log_prob(images, domain, h)


def paired_log_prob(model: DeFlow, images: Tensor, domain: Tensor, h: Tensor | None) -> Tensor:
    r"""Log p(x | h) of clean images and log p(y | x, h) of their degraded versions, eq. 5.

    .. math:: \log p(y \mid x, h) = \log p_u\left(f(y; h) - f(x; h)\right) + \log|\det D f(y; h)|

    Args:
        model: the network, without colour normalisation: a degraded image has its clean one's colours.
        images: dequantised, ``B x 3 x H x W``: clean, its degraded version, the next clean one, ...
        domain: 0, 1, 0, 1, ...
        h: of the clean images, the same for both of a pair; ``None`` without conditioning.

    Returns:
        ``B`` numbers, natural log, in the order of the images.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eq. 5.
    """
    z, log_det = model.bijector(images, h)
    clean, degraded = (tuple(level[first::2] for level in z) for first in (Domain.CLEAN, Domain.DEGRADED))
    h_of_pair = None if h is None else h[::2]
    of_clean = model.latents.log_prob(clean, LatentLabel(Domain.CLEAN, h_of_pair))
    of_degraded = model.latents.log_prob_pair(clean, degraded, h_of_pair)
    return torch.stack([of_clean, of_degraded], 1).flatten() + log_det
