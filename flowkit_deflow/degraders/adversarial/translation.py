"""A degrader that is a network from clean to degraded images."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.adversarial.configured import ConfiguredDegrader
from flowkit_deflow.degraders.adversarial.filters import haar_high
from flowkit_deflow.degraders.adversarial.networks import TranslationGenerator, high_frequency_critic
from flowkit_deflow.degraders.degrader import require_degradable
from flowkit_deflow.images.checks import require_images
from flowkit_deflow.images.resize import pad_to_multiple
from flowkit_deflow.settings.adversarial import TranslationNetwork

__all__ = ["DomainAwareTranslation", "Translation"]


class Translation(ConfiguredDegrader):
    r"""Degrade images by a network g: :math:`y = x + \tau (g(x) - x)`, cut to [0, 1].

    Nothing is drawn at random: all versions of an image are the same.

    Args:
        config: what the network is.

    References:
        M. Fritsche, S. Gu, R. Timofte, "Frequency Separation for Real-World Super-Resolution", ICCV workshops 2019;
        J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired Image-to-Image Translation Using Cycle-Consistent
        Adversarial Networks", ICCV 2017.

    Examples:
        >>> translation = Translation(TranslationNetwork(features=8, blocks=1))
        >>> translation.degrade(torch.rand(2, 3, 16, 16), samples=3).shape
        torch.Size([3, 2, 3, 16, 16])
    """

    kind: ClassVar[str] = "translation"
    settings = TranslationNetwork

    def __init__(self, config: TranslationNetwork) -> None:
        super().__init__(config)
        self.network = TranslationGenerator(config.features, config.blocks)

    @torch.no_grad()
    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Degraded versions of images.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            temperature: factor on what the network adds.
            samples: how many copies of each; ``None`` for one, without a dimension for it.
            generator: is not used.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        require_degradable(images, temperature, samples)
        degraded = torch.lerp(images, self.network(images), temperature).clamp(0, 1)
        return degraded if samples is None else degraded.expand(samples, *degraded.shape).clone()


class DomainAwareTranslation(Translation):
    r"""DASR's degradation network, which also says where an image looks really degraded.

    Args:
        config: what the network is.

    References:
        Y. Wei, S. Gu, Y. Li, R. Timofte, L. Jin, H. Song, "Unsupervised Real-world Image Super Resolution via
        Domain-distance Aware Training", CVPR 2021.

    Examples:
        >>> translation = DomainAwareTranslation(TranslationNetwork(8, 1, 8)).eval()
        >>> translation.domain_map(torch.rand(2, 3, 15, 16)).shape
        torch.Size([2, 1, 15, 16])
    """

    kind: ClassVar[str] = "domain-aware-translation"

    def __init__(self, config: TranslationNetwork) -> None:
        super().__init__(config)
        self.critic = high_frequency_critic(9, config.discriminator_features)

    @torch.no_grad()
    def domain_map(self, images: Tensor) -> Tensor:
        r"""How much like real degraded images each place looks, :math:`\sigma(d(\operatorname{Haar}(y)))`.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].

        Returns:
            ``B x 1 x H x W``, from 0 (unlike) to 1: the domain-distance map, which ``losses.domain_weighted`` weights
            the losses of restoration by.

        Raises:
            ValueError: not a batch of RGB images.
        """
        require_images(images)
        padded, (height, width) = pad_to_multiple(images, 2)
        logits = self.critic(haar_high(padded))
        whole = nn.functional.interpolate(logits.sigmoid(), scale_factor=2, mode="bilinear", align_corners=False)
        return whole[..., :height, :width]
