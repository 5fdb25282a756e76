"""Channel-wise colour normalisation that brings domain X to the colours of Y."""

import torch
from torch import Tensor, nn

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import ChannelStatistics, Normalization

__all__ = ["ColourNormalization"]


class ColourNormalization(nn.Module):
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

    def __init__(self, settings: Normalization | None) -> None:
        super().__init__()
        identity = ChannelStatistics((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        if settings is None:
            settings = Normalization(identity, identity, identity, identity)
        # Numbers, not buffers: a model in half precision, or one that was on the meta device, has them unchanged.
        self._image_maps = _maps(settings.clean, settings.degraded)
        self._h_maps = _maps(settings.clean_h, settings.degraded_h)

    def to_shared(self, images: Tensor, domain: Domain | Tensor) -> Tensor:
        """Images of a domain (or of one domain for each) to the shared colours; ``B x 3 x H x W``."""
        scale, shift = _pick(self._image_maps, images, domain)
        return (images * scale + shift).to(images.dtype)

    def h_to_shared(self, h: Tensor, domain: Domain | Tensor) -> Tensor:
        """The same for h."""
        scale, shift = _pick(self._h_maps, h, domain)
        return (h * scale + shift).to(h.dtype)

    def back(self, images: Tensor, domain: Domain | Tensor) -> Tensor:
        """Images in the shared colours back to those of an image of ``domain``."""
        scale, shift = _pick(self._image_maps, images, domain)
        return ((images - shift) / scale).to(images.dtype)

    def log_det(self, images: Tensor, domain: Domain | Tensor) -> Tensor:
        """log|det| of :meth:`to_shared`, one number per image, at least float32."""
        scale, _ = _pick(self._image_maps, images, domain)
        total = scale.log().sum((-3, -2, -1)) * images.shape[-2] * images.shape[-1]
        return total.expand(len(images))


# Scale and shift of each domain's three channels.
Maps = list[list[list[float]]]


def _pick(maps: Maps, images: Tensor, domain: Domain | Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of each image's channels, at least float32."""
    dtype = torch.promote_types(images.dtype, torch.float32)
    index = torch.as_tensor(domain, device=images.device).reshape(-1)
    scale, shift = torch.tensor(maps, dtype=dtype, device=images.device)[index][..., None, None].unbind(1)
    return scale, shift


def _maps(clean: ChannelStatistics, degraded: ChannelStatistics) -> Maps:
    mean_x, std_x, mean_y, std_y = (
        torch.tensor(values, dtype=torch.float32, device="cpu")
        for values in (clean.mean, clean.std, degraded.mean, degraded.std)
    )
    scale = std_y / std_x
    return [[scale.tolist(), (mean_y - mean_x * scale).tolist()], [[1.0] * 3, [0.0] * 3]]
