"""What every restoration network is."""

from torch import Tensor, nn

__all__ = ["RestorationNetwork"]


class RestorationNetwork(nn.Module):
    """A network from degraded images ``B x 3 x H x W`` in [0, 1], of any size, to ``B x 3 x sH x sW`` of the scale s.

    Attributes:
        scale: the restored image's size over the degraded one's.
        margin: degraded pixels around a tile that its restored pixels depend on noticeably.
        alignment: corners of tiles are multiples of this (degraded pixels).
    """

    scale: int
    margin: int
    alignment: int = 1

    def forward(self, images: Tensor) -> Tensor:
        """Restored images, not cut to [0, 1]."""
        raise NotImplementedError
