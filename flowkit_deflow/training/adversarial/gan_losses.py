"""What a discriminator and a generator minimise."""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

__all__ = ["GanLoss", "LeastSquares", "Logistic", "RelativisticAverage"]


class GanLoss(Protocol):
    """A pair of losses of a discriminator's results for real and for generated images, of any one shape."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises."""

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""


class Logistic:
    r"""The non-saturating GAN, of logits: :math:`-\log \sigma(r) - \log(1 - \sigma(f))`, and :math:`-\log \sigma(f)`.

    References:
        I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, sec. 3.

    Examples:
        >>> import torch
        >>> round(Logistic().discriminator(torch.zeros(2), torch.zeros(2)).item(), 4)
        1.3863
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""
        return F.softplus(-fake).mean()


class LeastSquares:
    r"""The least-squares GAN: :math:`\tfrac12 ((r - 1)^2 + f^2)`, and :math:`(f - 1)^2`.

    References:
        X. Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017, eq. 2.

    Examples:
        >>> import torch
        >>> LeastSquares().discriminator(torch.ones(2), torch.zeros(2)).item()
        0.0
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""
        return (fake - 1).square().mean()


class RelativisticAverage:
    r"""The relativistic average GAN: whether an image looks more real than the others do on average.

    With the logits :math:`\tilde r = r - \operatorname{mean} f` and :math:`\tilde f = f - \operatorname{mean} r`, the
    discriminator minimises :math:`-\tfrac12 (\log \sigma(\tilde r) + \log(1 - \sigma(\tilde f)))`, the generator the
    same with the signs of both turned.

    References:
        A. Jolicoeur-Martineau, "The Relativistic Discriminator: A Key Element Missing from Standard GAN", ICLR 2019;
        X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV workshops 2018,
        eqs. 1 and 2.

    Examples:
        >>> import torch
        >>> loss = RelativisticAverage()
        >>> real, fake = torch.tensor([2.0]), torch.tensor([-1.0])
        >>> loss.discriminator(real, fake) < loss.generator(real, fake)
        tensor(True)
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises."""
        return (F.softplus(-(real - fake.mean())).mean() + F.softplus(fake - real.mean()).mean()) / 2

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""
        return (F.softplus(real - fake.mean()).mean() + F.softplus(-(fake - real.mean())).mean()) / 2
