"""A trained restoration network, in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit_deflow.images.checks import require_images, require_pixels
from flowkit_deflow.images.padded import PaddedImages
from flowkit_deflow.images.resize import Window
from flowkit_deflow.images.tiling import Piece, tiles
from flowkit_deflow.model_folder import read_model_folder, write_model_folder
from flowkit_deflow.restoration.networks.network import RestorationNetwork
from flowkit_deflow.restoration.networks.registry import build_network
from flowkit_deflow.settings.restoration import RestorerArchitecture
from flowkit_deflow.settings.text import from_dict, to_dict

__all__ = ["Restorer"]


class Restorer(nn.Module):
    r"""Restores images of any size: :math:`x = f(y)`, cut to [0, 1], with a restoration network f.

    Args:
        config: what the network is.
        network: the network; ``None``: an untrained one.

    Raises:
        UserError: the network is unknown, or its settings do not fit.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021, sec. 5.2.

    Examples:
        >>> restorer = Restorer(RestorerArchitecture("residual", scale=4, features=8, blocks=1))
        >>> restorer.restore(torch.rand(2, 3, 20, 30)).shape
        torch.Size([2, 3, 80, 120])
    """

    kind: ClassVar[str] = "restorer"

    def __init__(self, config: RestorerArchitecture, network: RestorationNetwork | None = None) -> None:
        super().__init__()
        self.config = config
        self.network = build_network(config) if network is None else network

    @property
    def scale(self) -> int:
        """The restored image's size over the degraded one's."""
        return self.config.scale

    @torch.no_grad()
    def restore(self, images: Tensor, tile: int | None = None) -> Tensor:
        """Restored images.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            tile: side of the tiles in which to work through large images (degraded pixels); ``None``: in one piece.

        Returns:
            ``B x 3 x sH x sW`` in [0, 1].

        Raises:
            ValueError: not a batch of RGB images.
        """
        require_images(images)
        height, width = (self.scale * side for side in images.shape[-2:])
        result = images.new_empty((*images.shape[:2], height, width))
        for piece in self.pieces(images, tile):
            top, left, rows, columns = piece.window
            result[..., top : top + rows, left : left + columns] = piece.pixels
        return result

    @torch.no_grad()
    def pieces(self, images: Tensor, tile: int | None = None) -> Iterator[Piece]:
        """Restored images part by part; what is in memory besides the images is a tile.

        Args:
            images: ``B x 3 x H x W``: floating-point numbers in [0, 1], or bytes, on any device.
            tile: side of the tiles in which to work (degraded pixels); ``None``: in one piece.

        Yields:
            The parts, in the restored images' pixels, in [0, 1].

        Raises:
            ValueError: not a batch of RGB images.
        """
        require_pixels(images)
        network, scale = self.network, self.scale
        height, width = images.shape[-2:]
        # A network without weights works where the images are.
        weights = next(network.parameters(), torch.zeros((), device=images.device))
        dtype = images.dtype if images.is_floating_point() else weights.dtype
        padded = PaddedImages(images, network.alignment, dtype, weights.device)
        side, margin = (
            -(-size // network.alignment) * network.alignment for size in (tile or max(padded.shape), network.margin)
        )
        for outer, inner in tiles(padded.height, padded.width, side, margin, network.alignment):
            restored = network(padded.window(outer)).clamp(0, 1)
            top, left = scale * (inner.top - outer.top), scale * (inner.left - outer.left)
            # What is restored of the padding is left out.
            rows = scale * min(inner.height, height - inner.top)
            columns = scale * min(inner.width, width - inner.left)
            window = Window(scale * inner.top, scale * inner.left, rows, columns)
            yield Piece(0, window, restored[..., top : top + rows, left : left + columns])

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder: ``config.json`` and ``model.safetensors``.

        Raises:
            UserError: it cannot be written, or the folder holds other files.
        """
        write_model_folder(folder, self.kind, to_dict(self.config), self.network.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote, in evaluation mode, on the CPU.

        Raises:
            UserError: a file is missing or damaged, the folder holds another kind of model, or the network is unknown.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        restorer = cls(from_dict(RestorerArchitecture, stored.settings, stored.config))
        stored.load_into(restorer.network)
        return restorer.eval()
