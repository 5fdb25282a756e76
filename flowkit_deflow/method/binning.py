"""Any model with its shift made ready to be measured per class of places."""

from dataclasses import replace

import torch

from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.binned import BinnedShift

__all__ = ["with_binned_shifts"]


@torch.no_grad()
def with_binned_shifts(model: DeFlow, classes: tuple[int, int], grain: bool | None = None) -> DeFlow:
    """The same flow with :class:`~flowkit_deflow.BinnedShift` shifts, which are yet to be measured.

    Their trained parts are the model's own shifts; of those that h decides, what they are without h.

    Args:
        model: any model; it stays as it is.
        classes: bins of h's brightness and of its contrast; (1, 1) for a model without conditioning.
        grain: whether it has a :class:`~flowkit_deflow.method.grain.Grain`, which is yet to be measured too; ``None``:
            as the model has it.

    Returns:
        A new model in evaluation mode, with ``config.shift``, ``config.shift_classes`` and ``config.grain`` set.

    Raises:
        ValueError: a number of classes is under 1, or there are several but no conditioning.

    Examples:
        >>> from flowkit_deflow.settings.presets import PRESETS
        >>> with_binned_shifts(DeFlow(PRESETS["tiny"].architecture), (4, 2)).config.shift
        'binned'
    """
    grain = model.config.grain if grain is None else grain
    binned = DeFlow(replace(model.config, shift="binned", shift_classes=classes, grain=grain))
    binned.bijector.load_state_dict(model.bijector.state_dict())
    for own, other in zip(binned.latents.shifts, model.latents.shifts, strict=True):
        assert isinstance(own, BinnedShift)
        own.mean.copy_(other.mean)
        own.matrix.copy_(other.factor)
    return binned.to(next(model.parameters())).eval()
