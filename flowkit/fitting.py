"""A flow fitted to data: early stopping, the best weights kept."""

import math
import sys
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from flowkit.argument_types import require_types
from flowkit.bijectors.actnorm import initialize
from flowkit.flow import Flow
from flowkit.losses.likelihood import forward_kl
from flowkit.naming import named

__all__ = ["Fit", "fit"]


class Fit(NamedTuple):
    """What became of a fit.

    Attributes:
        training: mean negative log-likelihood over each epoch, in nats.
        validation: that of the held-out part after each epoch.
        best: the epoch, counted from 0, whose weights the flow has.

    Examples:
        >>> Fit([2.0, 1.0], [2.1, 1.3], best=1).best
        1
    """

    training: list[float]
    validation: list[float]
    best: int


def fit(
    flow: Flow,
    data: Tensor,
    context: Tensor | None = None,
    *,
    label: Tensor | None = None,
    epochs: int = 200,
    batch: int = 256,
    rate: float = 1e-3,
    held_out: float = 0.1,
    patience: int = 20,
    progress: bool = True,
    generator: torch.Generator | None = None,
) -> Fit:
    r"""Maximise the likelihood of data by Adam until a held-out part of it gets no likelier; keep the best weights.

    .. math:: \theta^* = \arg\min_\theta\, -\tfrac1n \sum_i \log q_\theta(x_i \mid c_i)

    A short loop on torch alone: read it, and write your own where more is wanted. New actnorms start from the first
    batch, and the gradient's norm is held under 5; a step whose gradient is not finite is left out. An interrupted fit
    (Ctrl-C) leaves the flow with the best weights until then.

    Args:
        flow: trained in place, on its own device; it is left with the best weights, in evaluation mode.
        data: ``n x event``, at least two.
        context: ``n x context``, one for each.
        label: ``n x label``, one for each, where the base distribution depends on one: class numbers.
        epochs: the most passes over the data, >= 1.
        batch: samples in a step, >= 1.
        rate: Adam's learning rate, > 0.
        held_out: the share of the data that is not trained on, in (0, 1).
        patience: epochs without a better held-out likelihood after which it stops, >= 1.
        progress: whether a line on the standard error output tells how far it is.
        generator: draws the held-out part and the order; ``None`` for PyTorch's global source.

    Returns:
        The losses by epoch, and the best epoch.

    Raises:
        TypeError: ``flow`` is no flow, data or context no tensor, or a setting of another type.
        ValueError: a setting is outside its range, there are fewer than two samples, or other rows of context or label
            than of data, or values that are not finite; or the flow has nothing to train.
        RuntimeError: the likelihood was never finite.

    References:
        Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; Prechelt, "Early stopping - but when?",
        1998.

    Examples:
        >>> from flowkit import maf
        >>> result = fit(maf(2, hidden=(8,)), torch.randn(200, 2), epochs=3, progress=False)
        >>> len(result.validation)
        3
    """
    _require_settings(epochs=epochs, batch=batch, rate=rate, held_out=held_out, patience=patience, generator=generator)
    _require_data(data=data, context=context, label=label)
    parameters = _trained_parameters(flow)
    rows = torch.randperm(len(data), generator=generator)
    kept, trained = rows.tensor_split([min(len(rows) - 1, max(1, round(held_out * len(rows))))])

    def chosen(part: Tensor) -> list[Any]:
        return [None if v is None else v[part].to(parameters[0].device) for v in (data, context, label)]

    initialize(flow, *chosen(trained[:batch]))
    optimizer = torch.optim.Adam(parameters, rate)
    training, validation, best, weights = [], [], 0, flow.state_dict()
    try:
        for epoch in range(epochs):
            flow.train()
            total = 0.0
            for part in _batches(trained[torch.randperm(len(trained), generator=generator)], batch):
                optimizer.zero_grad()
                loss = forward_kl(flow, *chosen(part))
                loss.backward()
                # Adam would spread one gradient that is not finite to all steps to come.
                if torch.nn.utils.clip_grad_norm_(parameters, 5.0).isfinite():
                    optimizer.step()
                total += loss.item() * len(part)
            flow.eval()
            with torch.no_grad():
                held = sum(forward_kl(flow, *chosen(part)).item() * len(part) for part in kept.split(batch))
            training.append(total / len(trained))
            validation.append(held / len(kept))
            # Not a comparison with the best alone, which would keep a first epoch that is not finite.
            if validation[-1] <= min(v for v in [*validation, math.inf] if not math.isnan(v)):
                best, weights = epoch, {name: value.clone() for name, value in flow.state_dict().items()}
            if progress:
                line = f"training {training[-1]:.4f}, held out {validation[-1]:.4f}, best {validation[best]:.4f}"
                print(f"\repoch {epoch + 1}/{epochs}: {line} ", end="", file=sys.stderr)
            if epoch - best >= patience:
                break
    finally:
        # Interrupted by Ctrl-C as well.
        flow.eval().load_state_dict(weights)
        if progress:
            print(file=sys.stderr)
    if not math.isfinite(validation[best]):
        raise RuntimeError("the held-out data never had a finite likelihood: lower the rate, or standardise the data")
    return Fit(training, validation, best)


def _batches(rows: Tensor, batch: int) -> list[Tensor]:
    """Rows in batches; a single one that is left over joins the last of these, as a batch norm needs two."""
    parts = list(rows.split(batch))
    return [*parts[:-2], torch.cat(parts[-2:])] if len(parts) > 1 and len(parts[-1]) == 1 else parts


def _require_settings(**settings: Any) -> None:
    require_types(fit, (), settings)
    epochs, batch, patience = (settings[name] for name in ("epochs", "batch", "patience"))
    rate, held_out = settings["rate"], settings["held_out"]
    if min(epochs, batch, patience) < 1 or not 0 < held_out < 1 or not rate > 0:
        raise ValueError(
            f"epochs, batch and patience are {epochs}, {batch} and {patience}, and must be at least 1; rate is {rate}, "
            f"and must be above 0; held_out is {held_out}, and must lie between 0 and 1"
        )


def _require_data(data: Tensor, **conditions: Tensor | None) -> None:
    require_types(fit, (), {"data": data, **conditions})
    if len(data) < 2 or not data.isfinite().all():
        raise ValueError(f"the data is {len(data)} rows; there must be at least 2, without NaN or infinite values")
    for name, value in conditions.items():
        if value is not None and (len(value) != len(data) or not value.isfinite().all()):
            raise ValueError(
                f"{len(data)} rows of data and {len(value)} of {name}; there must be as many, without NaN or infinite "
                "values"
            )


def _trained_parameters(flow: Flow) -> list[nn.Parameter]:
    # By what it has, not by its class: a compiled flow is none.
    if not isinstance(flow, nn.Module) or not hasattr(flow, "log_prob"):
        raise TypeError(f"fit takes a flow and data, got {named(flow)}: join a bijector with a base by Flow(...)")
    parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("the flow has no parameters to train: take layers that have some, or flow.requires_grad_()")
    return parameters
