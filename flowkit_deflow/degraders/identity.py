"""No degradation: what every degrader has to be better than."""

from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.versions import versions
from flowkit_deflow.model_folder import read_model_folder, write_model_folder

__all__ = ["Identity"]


class Identity(nn.Module):
    r"""Leaves images as they are, :math:`y = x`.

    Examples:
        >>> images = torch.rand(2, 3, 8, 8)
        >>> torch.equal(Identity().degrade(images), images)
        True
    """

    kind: ClassVar[str] = "none"

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The images, cut to [0, 1].

        Args:
            images: ``B x 3 x H x W``.
            temperature: makes no difference.
            samples: how many copies of each; ``None`` for one, without a dimension for it.
            generator: is not used.

        Returns:
            ``B x 3 x H x W``, or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        return versions(lambda image, _: image, images, temperature, samples, generator)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder."""
        write_model_folder(folder, self.kind, {}, {})

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        read_model_folder(folder).require(cls.kind)
        return cls().eval()
