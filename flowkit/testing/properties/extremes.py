"""Large and tiny values."""

from collections.abc import Iterator
from typing import Any

import torch

from flowkit.bijector import Interval
from flowkit.supports import Support
from flowkit.testing.properties.tolerances import EXACT
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import apply_to, tensors
from flowkit.testing.violation import ContractViolation

__all__ = ["PROPERTIES"]

MAGNITUDES = (1e-6, 1e-3, 1.0, 1e2, 1e4)


def _finite_or_refused(subject: Subject) -> Iterator[Measurement]:
    for version in (subject, subject.in_float32):
        bijector, sample = version.bijector, version.sample()
        for name, direction, like, interval, support in (
            ("forward", bijector.forward, sample.x, bijector.domain(version.dtype), bijector.data_support()),
            ("inverse", bijector.inverse, sample.z, bijector.codomain(version.dtype), bijector.latent_support()),
        ):
            for magnitude in MAGNITUDES:
                for value in _values_of_magnitude(like, magnitude):
                    _check(name, direction, value, sample.context, (interval, support), magnitude)
                    yield HOLDS


def _values_of_magnitude(like: Any, magnitude: float) -> Iterator[Any]:
    """Values of one magnitude: of random signs, all positive, all negative."""
    yield apply_to(like, lambda t: magnitude * torch.where(t > t.median(), 1.0, -1.0).to(t))
    yield apply_to(like, lambda t: torch.full_like(t, magnitude))
    yield apply_to(like, lambda t: torch.full_like(t, -magnitude))


def _check(
    name: str, direction: Any, value: Any, context: Any, allowed: tuple[Interval, Support | None], magnitude: float
) -> None:
    interval, support = allowed
    lower, upper = interval
    within = all(bool(((part > lower) & (part < upper)).all()) for part in tensors(value))
    on_support = support is None or all(bool(support.contains(part).all()) for part in tensors(value))
    what = f"{name} of values of size {magnitude:g} in {tensors(value)[0].dtype}"
    try:
        with torch.no_grad():
            result, log_det = direction(value, context)
    except ValueError as error:
        if within and on_support:
            raise ContractViolation(f"{what} is refused, though they lie within {interval}: {error}") from error
        named = f"{lower:g}" in str(error) and f"{upper:g}" in str(error)
        if not within and not named:
            raise ContractViolation(f"{what} is refused without the interval {interval} named: {error}") from error
        if within and support is not None and support.description not in str(error):
            raise ContractViolation(f"{what} is refused without its support named: {error}") from error
        return
    if not within or not on_support:
        raise ContractViolation(f"{what} is not refused, though some lie outside {interval}, or off the support")
    for part, part_name in [(part, "result") for part in tensors(result)] + [(log_det, "log-determinant")]:
        if not part.isfinite().all():
            raise ContractViolation(f"{what} gives a {part_name} that is not finite")


PROPERTIES = (
    Property(
        "extreme_inputs",
        "Values of size 1e-6 to 1e4, of either sign, give finite results and log-determinants in float64 and float32 "
        "if they lie within the stated interval and on the support, and a ValueError that names it otherwise.",
        EXACT,
        "only finiteness is asked: a sigmoid saturates at 1e4, where no round trip is possible",
        _finite_or_refused,
        states=("perturbed",),
    ),
)
