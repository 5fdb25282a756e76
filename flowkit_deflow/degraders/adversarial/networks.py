"""Networks from clean to degraded images, and those that judge their high frequencies."""

from torch import Tensor, nn

__all__ = ["ResidualBlocks", "TranslationGenerator", "high_frequency_critic"]

SLOPE = 0.2  # of the leaky ReLUs


class _Block(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.slope = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``B x features x H x W`` to the same shape."""
        return x + self.conv2(self.slope(self.conv1(x)))


class ResidualBlocks(nn.Sequential):
    """A convolution, residual blocks with PReLU, a convolution that starts at zero: to three channels.

    Args:
        channels: of the input.
        features: of the blocks.
        blocks: how many.
    """

    def __init__(self, channels: int, features: int, blocks: int) -> None:
        last = nn.Conv2d(features, 3, 3, padding=1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        first = nn.Conv2d(channels, features, 3, padding=1)
        super().__init__(first, nn.PReLU(), *(_Block(features) for _ in range(blocks)), last)


class TranslationGenerator(nn.Module):
    r"""Adds to an image what residual blocks make of it, :math:`g(x) = x + f(x)`; untrained, nothing.

    The published networks make the whole image anew. To add to it is learned in minutes.

    Args:
        features: channels of the blocks.
        blocks: how many.

    Examples:
        >>> import torch
        >>> images = torch.rand(1, 3, 8, 8)
        >>> torch.equal(TranslationGenerator(8, 1)(images), images)
        True
    """

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.blocks = ResidualBlocks(3, features, blocks)

    def forward(self, images: Tensor) -> Tensor:
        """``B x 3 x H x W`` to the same shape, not cut to [0, 1]."""
        return images + self.blocks(images)


def high_frequency_critic(channels: int, features: int) -> nn.Module:
    """Four convolutions of 5 x 5 that give a logit for each place: ``B x channels x H x W`` to ``B x 1 x H x W``.

    Args:
        channels: of what it judges.
        features: of the first convolution; the next have two and four times as many.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, features, 5, padding=2), nn.LeakyReLU(SLOPE)]
    for factor in (1, 2):
        layers += [
            nn.Conv2d(factor * features, 2 * factor * features, 5, padding=2, bias=False),
            nn.BatchNorm2d(2 * factor * features),
            nn.LeakyReLU(SLOPE),
        ]
    return nn.Sequential(*layers, nn.Conv2d(4 * features, 1, 5, padding=2))
