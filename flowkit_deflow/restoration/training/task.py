"""What a restoration network minimises, with a discriminator or without."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.restoration.training.clean_crops import CleanBatch
from flowkit_deflow.restoration.training.feature_loss import FeatureLoss
from flowkit_deflow.restoration.training.on_the_fly import ExtraNoise, OnTheFly
from flowkit_deflow.settings.restoration import RestorerLosses
from flowkit_deflow.training.adversarial.gan_losses import RelativisticAverage
from flowkit_deflow.training.adversarial.task import Task

__all__ = ["RestorerTask"]


class _Restored(NamedTuple):
    restored: Tensor
    clean: Tensor
    weights: Tensor | None


class RestorerTask(Task):
    r"""Minimises the weighted sum of L1, the difference of features and the relativistic average GAN.

    With a domain-distance map :math:`\omega` of the degraded image y, the first two count as much as it looks really
    degraded, L1 as :math:`\operatorname{mean} \omega(y) |f(y) - x|`: a restorer learns most from what is most like the
    images that it is for.

    Args:
        restorer: what is trained.
        losses: the weights.
        degrade: makes the degraded crops; ``None`` where they come in pairs.
        extra_noise: is added to them.
        features: the loss of features; ``None`` without one.
        discriminator: ``None`` without an adversarial loss.
        domain_map: the map, ``B x 3 x h x w`` to ``B x 1 x h x w``; ``None``: all places count alike.

    References:
        Y. Wei, S. Gu, Y. Li, R. Timofte, L. Jin, H. Song, "Unsupervised Real-world Image Super Resolution via
        Domain-distance Aware Training", CVPR 2021, for the map.
    """

    def __init__(
        self,
        restorer: Restorer,
        losses: RestorerLosses,
        degrade: OnTheFly | None,
        extra_noise: ExtraNoise,
        features: FeatureLoss | None,
        discriminator: nn.Module | None,
        domain_map: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.generators = restorer
        self.discriminators = discriminator
        self.losses = losses
        self.gan = RelativisticAverage()
        self.degrade = degrade
        self.extra_noise = extra_noise
        self.domain_map = domain_map
        # In a list, the weights of a module stay out of checkpoints.
        self._features = [] if features is None else [features]

    @property
    def restorer(self) -> Restorer:
        """What is trained."""
        assert isinstance(self.generators, Restorer)
        return self.generators

    @property
    def untrained(self) -> Sequence[nn.Module]:
        """The degrader and the network of the features."""
        degrader = None if self.degrade is None else self.degrade.degrader
        return [*self._features, *([degrader] if isinstance(degrader, nn.Module) else [])]

    def generate(self, batch: CleanBatch, step: int) -> _Restored:
        """Degrade the clean crops, if they have no partners, and restore them."""
        degraded = batch["degraded"]
        if degraded is None:
            assert self.degrade is not None
            degraded = self.degrade(batch["clean"], step)
        degraded = self.extra_noise(degraded, step)
        return _Restored(self.restorer.network(degraded), batch["clean"], self._weights(degraded, batch["clean"]))

    def generator_losses(self, made: _Restored) -> Mapping[str, Tensor]:
        """The losses of the network."""
        restored, clean, weights = made
        l1 = F.l1_loss(restored, clean) if weights is None else (weights * (restored - clean).abs()).mean()
        losses = {"l1": self.losses.l1 * l1}
        for features in self._features:
            losses["features"] = self.losses.features * features(restored, clean, weights)
        if self.discriminators is not None:
            judged = self.discriminators(clean).detach(), self.discriminators(restored)
            losses["adversarial"] = self.losses.adversarial * self.gan.generator(*judged)
        return losses

    def discriminator_loss(self, made: _Restored) -> Tensor:
        """The loss of the discriminator."""
        assert self.discriminators is not None
        return self.gan.discriminator(self.discriminators(made.clean), self.discriminators(made.restored.detach()))

    def _weights(self, degraded: Tensor, clean: Tensor) -> Tensor | None:
        """The domain-distance map at the clean crops' size."""
        if self.domain_map is None:
            return None
        height, width = clean.shape[-2:]
        return F.interpolate(self.domain_map(degraded), (height, width), mode="bilinear", align_corners=False)
