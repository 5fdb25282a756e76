"""Samples in a batch do not affect each other."""

from collections.abc import Iterator
from math import prod
from typing import Any

import torch

from flowkit.testing.properties.tolerances import ROUNDING
from flowkit.testing.property import Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import apply_to, difference
from flowkit.testing.violation import NotApplicable

__all__ = ["PROPERTIES"]

BECAUSE = (
    "batches of other sizes are summed in another order, which rounds at 1e-16 per operation; a leak from a "
    "neighbour is as large as the values"
)


def _alone(subject: Subject) -> Iterator[Measurement]:
    batch = subject.batch(3)
    if not batch:
        raise NotApplicable("it takes no batch dimensions")
    sample = subject.sample(batch)
    last = len(batch) - 1
    with torch.no_grad():
        for name, direction, value in (
            ("forward", subject.bijector.forward, sample.x),
            ("inverse", subject.bijector.inverse, sample.z),
        ):
            together = direction(value, sample.context)
            for i in range(3):

                def pick(whole: Any, i: int = i) -> Any:
                    return apply_to(whole, lambda t: t.narrow(last, i, 1))

                alone = direction(pick(value), pick(sample.context))
                what = f"{name} of a sample alone"
                for part, which in zip(alone, range(2), strict=True):
                    yield Measurement(difference(part, pick(together[which]), what), f"{what} against in a batch of 3")


def _batch_shapes(subject: Subject) -> Iterator[Measurement]:
    reference = subject.batch(1)
    for batch in subject.batches:
        samples = prod(batch)
        flat = (*reference[:-1], samples) if reference else ()
        if not reference and samples != 1:
            continue
        sample = subject.sample(flat)

        def shaped(value: Any, flat: tuple[int, ...] = flat, batch: tuple[int, ...] = batch) -> Any:
            return apply_to(value, lambda t: t.reshape((*batch, *t.shape[len(flat) :])))

        with torch.no_grad():
            for name, direction, value in (
                ("forward", subject.bijector.forward, sample.x),
                ("inverse", subject.bijector.inverse, sample.z),
            ):
                expected = direction(value, sample.context)
                got = direction(shaped(value), shaped(sample.context))
                for ours, theirs in zip(got, expected, strict=True):
                    what = f"{name} with the batch shape {batch}"
                    yield Measurement(difference(ours, shaped(theirs), what), f"{what} against {flat}")


PROPERTIES = (
    Property(
        "batch_independence",
        "The results of a sample do not depend on its neighbours in the batch.",
        ROUNDING,
        BECAUSE,
        _alone,
    ),
    Property(
        "batch_shapes",
        "A sample, a batch of one and any number of batch dimensions, as far as claimed, give the same numbers.",
        ROUNDING,
        BECAUSE,
        _batch_shapes,
    ),
)
