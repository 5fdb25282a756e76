"""The convolutions of AlexNet and VGG, whose features judge and train images."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["FeatureNetwork", "alexnet", "vgg16", "vgg19"]

# ImageNet's colours, as torchvision normalises them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class FeatureNetwork(nn.Module):
    r"""A row of convolutions, ReLUs and poolings that gives the values at some of its places.

    Images are normalised first, :math:`(x - \mu) / \sigma` with ImageNet's colours.

    Args:
        layers: the row.
        taps: numbers of the layers whose results are given, rising.

    Attributes:
        convolutions: the row's convolutions, in their order, for loading weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Sequence[nn.Module], taps: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers[: taps[-1] + 1])
        self.taps = frozenset(taps)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """The row's convolutions."""
        return [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """``B x 3 x H x W`` in [0, 1] to the values at the taps."""
        x = (images - self.mean) / self.std
        features = []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.taps:
                features.append(x)
        return features


def alexnet() -> FeatureNetwork:
    """AlexNet's five convolutions, tapped after each ReLU.

    References:
        A. Krizhevsky, "One Weird Trick for Parallelizing Convolutional Neural Networks", arXiv 2014.
    """
    layers: list[nn.Module] = [
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    ]
    return FeatureNetwork(layers, [number for number, layer in enumerate(layers) if isinstance(layer, nn.ReLU)])


def vgg16(taps: Sequence[int] = (3, 8, 15, 22, 29)) -> FeatureNetwork:
    """VGG16's thirteen convolutions, tapped after the last ReLU before each pooling (relu1_2 to relu5_3), or elsewhere.

    References:
        K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
    """
    return FeatureNetwork(_vgg((2, 2, 3, 3, 3)), taps)


def vgg19(taps: Sequence[int] = (34,)) -> FeatureNetwork:
    """VGG19's sixteen convolutions, tapped at the last one, before its ReLU (conv5_4), or elsewhere.

    References:
        K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
    """
    return FeatureNetwork(_vgg((2, 2, 4, 4, 4)), taps)


def _vgg(convolutions: Sequence[int]) -> list[nn.Module]:
    """The row of a VGG network with so many convolutions in each of its five blocks."""
    layers: list[nn.Module] = []
    channels = 3
    for count, width in zip(convolutions, (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return layers
