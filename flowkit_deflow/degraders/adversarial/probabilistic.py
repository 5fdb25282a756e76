"""The probabilistic degradation model: random kernels and random noise."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.degraders.adversarial.configured import ConfiguredDegrader
from flowkit_deflow.degraders.adversarial.networks import ResidualBlocks
from flowkit_deflow.degraders.degrader import require_degradable
from flowkit_deflow.images.resize import reflect_pad
from flowkit_deflow.settings.adversarial import PdmNetwork

__all__ = ["ProbabilisticDegradation"]

KERNEL_WIDTH = 64
# An untrained kernel is nearly no blur: the middle's logit is this much above the others.
MIDDLE = 8.0


class ProbabilisticDegradation(ConfiguredDegrader):
    r"""Degrade images by a random kernel and random noise, which networks make of Gaussian numbers.

    .. math:: y = k(z_k) * x + \tau\, n(x, z_n), \qquad z_k \sim N(0, I),\ z_n \sim N(0, I)

    cut to [0, 1]: a kernel of softmax for each image, and noise that sees the image, from numbers at each pixel. At
    :math:`\tau = 0` nothing is blurred either.

    Args:
        config: what the networks are.

    References:
        Z. Luo, Y. Huang, S. Li, L. Wang, T. Tan, "Learning the Degradation Distribution for Blind Image
        Super-Resolution", CVPR 2022, eqs. 3 to 6.

    Examples:
        >>> model = ProbabilisticDegradation(PdmNetwork(kernel_side=5, noise_features=8, noise_blocks=1))
        >>> model.degrade(torch.rand(2, 3, 16, 16), samples=3).shape
        torch.Size([3, 2, 3, 16, 16])
    """

    kind: ClassVar[str] = "probabilistic"
    settings = PdmNetwork

    def __init__(self, config: PdmNetwork) -> None:
        super().__init__(config)
        side = config.kernel_side
        last = nn.Linear(KERNEL_WIDTH, side**2)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias[side**2 // 2] = MIDDLE
        self.kernels = nn.Sequential(nn.Linear(config.kernel_latents, KERNEL_WIDTH), nn.ReLU(), last)
        self.noise = ResidualBlocks(3 + 3, config.noise_features, config.noise_blocks)

    def draw(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Blurred images and the noise to add, ``B x 3 x H x W`` each, with gradients to the networks."""
        device = "cpu" if generator is None else generator.device
        shape = (len(images), self.config.kernel_latents)
        latents = torch.randn(shape, generator=generator, device=device).to(images)
        side = self.config.kernel_side
        kernels = self.kernels(latents).softmax(1).view(-1, 1, side, side)
        numbers = torch.randn(images.shape, generator=generator, device=device).to(images)
        margin = side // 2
        padded = reflect_pad(images, margin, margin, margin, margin)
        # Each image has a kernel of its own, the same for its channels.
        groups = padded.flatten(0, 1)[None]
        blurred = F.conv2d(groups, kernels.repeat_interleave(3, 0), groups=groups.shape[1]).view_as(images)
        return blurred, self.noise(torch.cat([blurred, numbers], 1))

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
            temperature: factor on the noise; 0 gives the images back.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        require_degradable(images, temperature, samples)
        every = images.repeat(samples or 1, 1, 1, 1)
        if temperature:
            blurred, noise = self.draw(every, generator)
            every = blurred + temperature * noise
        degraded = every.clamp(0, 1)
        return degraded if samples is None else degraded.view(samples, *images.shape)
