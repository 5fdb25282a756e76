"""How bijectors use their context."""

from collections.abc import Iterator

import torch

from flowkit.testing.properties.tolerances import EXACT, ROUNDING, YES_OR_NO
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import apply_to, difference
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["PROPERTIES"]

# Another context changes results by about as much as the parameters are perturbed, far more than this.
VISIBLE = 1e-6


def _bind(subject: Subject) -> Iterator[Measurement]:
    sample, bijector, event = subject.sample(), subject.bijector, subject.case.event
    with torch.no_grad():
        bound = bijector.bind(sample.context)
        for name, got, expected in (
            ("forward", bound(sample.x), bijector(sample.x, sample.context)),
            ("inverse", bound.inverse(sample.z), bijector.inverse(sample.z, sample.context)),
        ):
            what = f"bind(context).{name}"
            yield Measurement(difference(tuple(got), tuple(expected), what), f"{what} against {name} with the context")
    stated = bijector.output_shape(event)
    if (got_shape := bound.output_shape(event)) != stated or bound.input_shape(stated) != event:
        raise ContractViolation(
            f"once bound, output_shape says {got_shape} in place of {stated}, or does not lead back"
        )


def _context_of_one(subject: Subject) -> Iterator[Measurement]:
    batch = subject.batch(3)
    if subject.case.context is None:
        raise NotApplicable("it takes no context")
    if not batch:
        raise NotApplicable("it takes no batch dimensions")
    sample, bijector = subject.sample(), subject.bijector
    one = apply_to(sample.context, lambda t: t.narrow(len(batch) - 1, 0, 1))
    each = apply_to(one, lambda t: t.expand(*batch, *t.shape[len(batch) :]))
    with torch.no_grad():
        for name, got, expected in (
            ("forward", bijector(sample.x, one), bijector(sample.x, each)),
            ("inverse", bijector.inverse(sample.z, one), bijector.inverse(sample.z, each)),
            ("bind(context).inverse", bijector.bind(one).inverse(sample.z), bijector.inverse(sample.z, each)),
        ):
            what = f"{name} with a context of batch size one"
            yield Measurement(difference(tuple(got), tuple(expected), what), f"{what} against the context repeated")


def _context_broadcast(subject: Subject) -> Iterator[Measurement]:
    if subject.case.context is None:
        raise NotApplicable("it takes no context")
    if subject.bijector.batch_dims is not None or (2, 2) not in subject.case.batches:
        raise NotApplicable("it does not take any number of batch dimensions")
    sample, bijector = subject.sample((2, 3)), subject.bijector
    rows = apply_to(sample.context, lambda t: t[0])
    each = apply_to(rows, lambda t: t.expand(2, *t.shape))
    with torch.no_grad():
        for name, got, expected in (
            ("forward", bijector(sample.x, rows), bijector(sample.x, each)),
            ("inverse", bijector.inverse(sample.z, rows), bijector.inverse(sample.z, each)),
        ):
            what = f"{name} of a batch (2, 3) with 3 contexts"
            yield Measurement(difference(tuple(got), tuple(expected), what), f"{what} against the contexts repeated")


def _context_used(subject: Subject) -> Iterator[Measurement]:
    if subject.case.context is None:
        raise NotApplicable("it takes no context")
    sample, other, bijector = subject.sample(), subject.sample(salt=1), subject.bijector
    with torch.no_grad():
        for name, direction, value in (
            ("forward", bijector.forward, sample.x),
            ("inverse", bijector.inverse, sample.z),
        ):
            with_one, with_other = direction(value, sample.context), direction(value, other.context)
            moved = difference(tuple(with_other), tuple(with_one), name)
            if moved < VISIBLE:
                raise ContractViolation(f"{name} gives the same with another context (they differ by {moved:.1e})")
            yield HOLDS


PROPERTIES = (
    Property(
        "bind",
        "bind(context) gives what passing the context gives, both ways; shapes stay known.",
        ROUNDING,
        "the same operations on the same numbers, some of them done earlier",
        _bind,
    ),
    Property(
        "context_of_one",
        "A context of batch size one serves a batch of any size, as if it were repeated.",
        ROUNDING,
        "batches of other sizes are summed in another order, which rounds at 1e-16 per operation",
        _context_of_one,
    ),
    Property(
        "context_broadcast",
        "Contexts broadcast to the data's batch shape: of a batch 2 x 3, three contexts serve each row of three.",
        ROUNDING,
        "batches of other sizes are summed in another order, which rounds at 1e-16 per operation",
        _context_broadcast,
        states=("perturbed",),
    ),
    Property(
        "context_used",
        "Where a context is claimed, another one gives other results.",
        EXACT,
        YES_OR_NO,
        _context_used,
        states=("perturbed",),
    ),
)
