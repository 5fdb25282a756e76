"""Noise patches of real images, injected into clean ones, and their blur."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.versions import versions
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.blur_kernels import apply_kernel
from flowkit_deflow.model_folder import read_model_folder, write_model_folder

__all__ = ["NoiseInjection"]

KERNEL = "kernel"


class NoiseInjection(nn.Module):
    r"""Blur images by one of several kernels and add patches of noise.

    .. math:: y = k * x + \tau n

    with a kernel k and patches n drawn at random, each cut, mirrored and turned at random; larger images are covered by
    several patches. Cut to [0, 1]; at the temperature :math:`\tau = 0` nothing is blurred either.

    Kernels are applied at the size of the degraded images, after any downsampling. The paper downsamples larger images
    by KernelGAN's kernels, in place of bicubic downsampling: what these blur beyond that is what is learned here.

    Args:
        patches: ``N x 3 x S x S``, the mean of each channel of each patch 0, for images in [0, 1].
        kernels: blur kernels of sum 1; none for no blur. Of KernelGAN's, take what
            ``flowkit_deflow.images.kernel_beyond_bicubic`` makes of them.

    Raises:
        ValueError: the patches are not of that shape.

    References:
        X. Ji, Y. Cao, Y. Tai, C. Wang, J. Li, F. Huang, "Real-World Super-Resolution via Kernel Estimation and Noise
        Injection", CVPR workshops 2020, sec. 3.

    Examples:
        >>> injection = NoiseInjection(0.1 * torch.randn(5, 3, 16, 16))
        >>> injection.degrade(torch.rand(2, 3, 40, 30), samples=3).shape
        torch.Size([3, 2, 3, 40, 30])
    """

    kind: ClassVar[str] = "noise-injection"

    patches: Tensor

    def __init__(self, patches: Tensor, kernels: Sequence[Tensor] = ()) -> None:
        super().__init__()
        if patches.ndim != 4 or patches.shape[1] != 3 or patches.shape[2] != patches.shape[3] or not len(patches):
            raise ValueError(f"expected noise patches N x 3 x S x S, got {tuple(patches.shape)}")
        self.register_buffer("patches", patches)
        for number, kernel in enumerate(kernels):
            self.register_buffer(f"{KERNEL}{number}", kernel)

    @property
    def kernels(self) -> list[Tensor]:
        """The blur kernels."""
        return [buffer for name, buffer in self.named_buffers() if name.startswith(KERNEL)]

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Blurred and noisy versions of images.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            temperature: factor on the noise; 0 gives the images back.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        patches, kernels = self.patches.float().cpu(), [kernel.cpu() for kernel in self.kernels]

        def degrade_one(image: Tensor, source: torch.Generator) -> Tensor:
            if temperature and kernels:
                image = apply_kernel(image, kernels[_integer(len(kernels), source)])
            return image + temperature * _covering(patches, image, source)

        return versions(degrade_one, images, temperature, samples, generator)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder: ``config.json`` and ``model.safetensors``."""
        settings = {"patches": list(self.patches.shape), "kernels": [list(kernel.shape) for kernel in self.kernels]}
        write_model_folder(folder, self.kind, settings, self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        try:
            shape, kernels = stored.settings["patches"], stored.settings["kernels"]
            dtype = stored.state["patches"].dtype
            model = cls(torch.zeros(shape, dtype=dtype), [torch.zeros(kernel) for kernel in kernels])
        except (TypeError, LookupError, ValueError, RuntimeError) as error:
            raise UserError(f"{stored.config}: is not that of injected noise ({error}); get the model again") from None
        stored.load_into(model)
        return model.eval()


def _covering(patches: Tensor, image: Tensor, source: torch.Generator) -> Tensor:
    """Noise for a whole image, patch beside patch."""
    side = patches.shape[-1]
    noise = torch.empty_like(image)
    height, width = image.shape[-2:]
    for top in range(0, height, side):
        for left in range(0, width, side):
            rows, columns = min(side, height - top), min(side, width - left)
            patch = patches[_integer(len(patches), source)].rot90(_integer(4, source), (-2, -1))
            patch = patch.flip(-1) if _integer(2, source) else patch
            row, column = _integer(side - rows + 1, source), _integer(side - columns + 1, source)
            noise[:, top : top + rows, left : left + columns] = patch[:, row : row + rows, column : column + columns]
    return noise


def _integer(bound: int, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator))
