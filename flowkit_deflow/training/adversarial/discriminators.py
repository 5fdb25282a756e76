"""Networks that tell real images from generated ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

__all__ = ["PatchDiscriminator", "Vgg128Discriminator", "frozen"]

SLOPE = 0.2  # of the leaky ReLUs


class PatchDiscriminator(nn.Module):
    r"""Convolutions of 4 x 4 that judge overlapping patches: ``layers`` of them halve the resolution, two more do not.

    Args:
        channels: of the images.
        features: of the first layer; each of the next has twice as many, up to eight times.
        layers: how many halve the resolution; 3 see patches of 70 pixels.

    References:
        P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, "Image-to-Image Translation with Conditional Adversarial Networks",
        CVPR 2017, sec. 3.2.2.

    Examples:
        >>> import torch
        >>> PatchDiscriminator(features=8)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 1, 6, 6])
    """

    def __init__(self, channels: int = 3, features: int = 64, layers: int = 3) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(channels, features, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        width = features
        for number in range(1, layers + 1):
            wider = features * min(2**number, 8)
            parts += [
                nn.Conv2d(width, wider, 4, stride=2 if number < layers else 1, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.LeakyReLU(SLOPE),
            ]
            width = wider
        self.parts = nn.Sequential(*parts, nn.Conv2d(width, 1, 4, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """``B x channels x H x W`` to a number for each patch, ``B x 1 x h x w``."""
        return self.parts(images)


class Vgg128Discriminator(nn.Module):
    """Convolutions as VGG has them, and two linear layers: one number for each image of 128 x 128 pixels.

    Args:
        features: of the first layer; the deepest have eight times as many.

    References:
        C. Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR
        2017, fig. 4; X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV
        workshops 2018.

    Examples:
        >>> import torch
        >>> Vgg128Discriminator(features=2)(torch.rand(2, 3, 128, 128)).shape
        torch.Size([2, 1])
    """

    def __init__(self, features: int = 64) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1), nn.LeakyReLU(SLOPE)]
        parts += _halving(features, features)
        width = features
        for factor in (2, 4, 8, 8):
            parts += [
                nn.Conv2d(width, factor * features, 3, padding=1, bias=False),
                nn.BatchNorm2d(factor * features),
                nn.LeakyReLU(SLOPE),
                *_halving(factor * features, factor * features),
            ]
            width = factor * features
        self.convolutions = nn.Sequential(*parts)
        # Five halvings leave 4 x 4 places of 128 x 128.
        self.linear = nn.Sequential(nn.Linear(width * 4 * 4, 100), nn.LeakyReLU(SLOPE), nn.Linear(100, 1))

    def forward(self, images: Tensor) -> Tensor:
        """``B x 3 x 128 x 128`` to ``B x 1``."""
        return self.linear(self.convolutions(images).flatten(1))


def _halving(channels: int, features: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, features, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(features),
        nn.LeakyReLU(SLOPE),
    ]


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Give a module's parameters no gradients while the block runs; outside of it, all of them want some."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
