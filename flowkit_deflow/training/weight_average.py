"""An average of a network's weights over its training steps."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from flowkit_deflow.method.model import DeFlow

__all__ = ["Averaging", "moving_average"]


def moving_average(model: DeFlow, decay: float) -> AveragedModel:
    r"""An exponential moving average of a model's weights, which forgets its start sooner than its decay says.

    .. math:: \bar\theta_n = d_n \bar\theta_{n-1} + (1 - d_n) \theta_n, \qquad d_n = \min(d, (1 + n) / (10 + n))

    Without the second term, the weights of the first step would still have a share of :math:`d^n` after n steps: 8 %
    for 2,500 steps at 0.999. Buffers are copied, so that the average is initialised as soon as the model is.

    Args:
        model: the network that is trained.
        decay: ``d``, from 0 to below 1.

    Returns:
        The average, to be told of each step by ``update_parameters(model)``; its ``module`` is the averaged network.
        It needs no gradients.

    Examples:
        >>> from flowkit_deflow.settings.presets import PRESETS
        >>> model = DeFlow(PRESETS["tiny"].architecture)
        >>> average = moving_average(model, 0.999)
        >>> average.update_parameters(model)
        >>> int(average.n_averaged)
        1
    """

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        number = int(updates)
        weight = 1 - min(decay, (1 + number) / (10 + number))
        for mean, value in zip(averaged, current, strict=True):
            mean.lerp_(value, weight)

    average = AveragedModel(model, multi_avg_fn=update)
    # Where several processes train, gradients are awaited for every parameter that wants one.
    average.requires_grad_(False)
    return average.eval()


class Averaging(Callback):
    """Takes the weights into their average after each step, before any other callback looks at it or stores it."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """After the optimiser's step."""
        if module.average is not None:
            module.average.update_parameters(module.model)
