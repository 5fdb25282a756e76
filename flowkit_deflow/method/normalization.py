"""Channel-wise colour normalisation that brings domain X to the colours of Y."""

from functools import partial

import torch
from torch import Tensor

from flowkit.constants import WithConstants
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import ChannelStatistics, Normalization

__all__ = ["ColourNormalization"]


class ColourNormalization(WithConstants):
    r"""Bring clean images to the degraded domain's channel statistics, and back (sec. 5.4, for AIM).

    .. math:: x' = (x - m_X) / s_X \cdot s_Y + m_Y

    Degraded images stay as they are. h has statistics of its own: the noise that downsampling removes would
    otherwise tell the domains apart. What is generated from an image goes back by that image's own map.

    Args:
        settings: the statistics; ``None`` makes every map the identity.

    Examples:
        >>> normalization = ColourNormalization(None)
        >>> image = torch.rand(1, 3, 4, 4)
        >>> torch.equal(normalization.back(normalization.to_shared(image, Domain.CLEAN), Domain.CLEAN), image)
        True
    """

    image_maps: Tensor
    h_maps: Tensor

    def __init__(self, settings: Normalization | None) -> None:
        super().__init__()
        identity = ChannelStatistics((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        if settings is None:
            settings = Normalization(identity, identity, identity, identity)
        # Made from the settings, which are saved: not part of the state dict.
        self.register_constant("image_maps", partial(_maps, settings.clean, settings.degraded))
        self.register_constant("h_maps", partial(_maps, settings.clean_h, settings.degraded_h))

    def to_shared(self, images: Tensor, domain: Domain | Tensor) -> Tensor:
        """Images of a domain (or of one domain for each) to the shared colours; ``B x 3 x H x W``."""
        scale, shift = self._pick(self.image_maps, images, domain)
        return images * scale + shift

    def h_to_shared(self, h: Tensor, domain: Domain | Tensor) -> Tensor:
        """The same for h."""
        scale, shift = self._pick(self.h_maps, h, domain)
        return h * scale + shift

    def back(self, images: Tensor, domain: Domain | Tensor) -> Tensor:
        """Images in the shared colours back to those of an image of ``domain``."""
        scale, shift = self._pick(self.image_maps, images, domain)
        return (images - shift) / scale

    def log_det(self, images: Tensor, domain: Domain | Tensor) -> Tensor:
        """log|det| of :meth:`to_shared`, one number per image."""
        scale, _ = self._pick(self.image_maps, images, domain)
        total = scale.log().sum((-3, -2, -1)) * images.shape[-2] * images.shape[-1]
        return total.expand(len(images))

    def _pick(self, maps: Tensor, images: Tensor, domain: Domain | Tensor) -> tuple[Tensor, Tensor]:
        index = torch.as_tensor(domain, device=maps.device).reshape(-1)
        scale, shift = maps[index].to(images.dtype)[..., None, None].unbind(1)
        return scale, shift


def _maps(clean: ChannelStatistics, degraded: ChannelStatistics) -> Tensor:
    """Scale and shift of each domain, ``2 x 2 x 3``."""
    mean_x, std_x = torch.tensor(clean.mean), torch.tensor(clean.std)
    mean_y, std_y = torch.tensor(degraded.mean), torch.tensor(degraded.std)
    scale = std_y / std_x
    return torch.stack([torch.stack([scale, mean_y - mean_x * scale]), torch.stack([torch.ones(3), torch.zeros(3)])])
