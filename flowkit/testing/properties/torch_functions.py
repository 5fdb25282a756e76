"""torch.compile, torch.func.vmap and functional_call give what eager calls give."""

import warnings
from collections.abc import Iterator
from typing import Any

import torch

from flowkit.bijectors.inverse import Inverse
from flowkit.testing.properties.tolerances import ROUNDING
from flowkit.testing.property import Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import apply_to, difference
from flowkit.testing.violation import NotApplicable

__all__ = ["PROPERTIES"]

BECAUSE = (
    "the same operations on the same numbers, in another order at most, which rounds at 1e-16 each; a value that was "
    "fixed when tracing, or a tensor that was not swapped, is off by the size of the values"
)


def _compile(subject: Subject) -> Iterator[Measurement]:
    sample, bijector = subject.sample(), subject.bijector
    for name, direction, value in (("forward", bijector.forward, sample.x), ("inverse", bijector.inverse, sample.z)):
        torch.compiler.reset()
        # The capture of the whole graph is what a bijector's code can break; how well a backend then compiles it is
        # not its to answer for.
        compiled: Any = torch.compile(direction, fullgraph=True, backend="eager")
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            got = compiled(value, sample.context)
            what = f"compiled {name}"
            expected = direction(value, sample.context)
            yield Measurement(difference(tuple(got), tuple(expected), what), f"{what} against eager")
    torch.compiler.reset()


def _vmap(subject: Subject) -> Iterator[Measurement]:
    batch = subject.batch(3)
    if not batch:
        raise NotApplicable("it takes no batch dimensions")
    sample, bijector = subject.sample(batch), subject.bijector
    batched = len(batch) - 1
    # Where a sample without batch dimensions is not claimed, each call gets a batch of one.
    keep = () not in subject.batches

    def separate(value: Any) -> Any:
        if keep:
            return apply_to(value, lambda t: t.movedim(batched, 0).unsqueeze(batched + 1))
        return apply_to(value, lambda t: t.reshape((3, *t.shape[len(batch) :])))

    def together(value: Any) -> Any:
        if keep:
            return apply_to(value, lambda t: t.squeeze(batched + 1).movedim(0, batched))
        return apply_to(value, lambda t: t.reshape((*batch, *t.shape[1:])))

    for name, direction, value in (("forward", bijector.forward, sample.x), ("inverse", bijector.inverse, sample.z)):

        def call(*given: Any, direction: Any = direction) -> Any:
            return tuple(direction(*given))

        given = (separate(value),) if sample.context is None else (separate(value), separate(sample.context))
        with warnings.catch_warnings(), torch.no_grad():
            # An operation without a batching rule of its own is slower, not wrong.
            warnings.simplefilter("ignore")
            got = torch.func.vmap(call)(*given)
            expected = tuple(direction(value, sample.context))
        what = f"{name} under vmap"
        yield Measurement(difference(together(got), expected, what), f"{what} against the batched call")


def _functional_call(subject: Subject) -> Iterator[Measurement]:
    donor = subject.sibling.bijector
    sample = subject.sample()
    for name, module, expected_of, prefix, value in (
        ("forward", subject.bijector, donor, "", sample.x),
        ("inverse", Inverse(subject.bijector), Inverse(donor), "bijector.", sample.z),
    ):
        swapped = {prefix + key: tensor for key, tensor in donor.state_dict().items()}
        with torch.no_grad():
            got = torch.func.functional_call(module, swapped, (value, sample.context))
            expected = expected_of(value, sample.context)
        what = f"{name} by functional_call"
        yield Measurement(
            difference(tuple(got), tuple(expected), what), f"{what} against a bijector with these tensors"
        )


PROPERTIES = (
    Property(
        "compile",
        "torch.compile captures each direction as one graph (fullgraph=True) that, run as it is, gives eager results.",
        ROUNDING,
        BECAUSE,
        _compile,
        states=("perturbed",),
        once=True,
    ),
    Property(
        "vmap",
        "torch.func.vmap over the samples gives the batched call's results.",
        ROUNDING,
        BECAUSE,
        _vmap,
        states=("perturbed",),
    ),
    Property(
        "functional_call",
        "torch.func.functional_call with other parameters and buffers gives what a bijector that has them gives.",
        ROUNDING,
        BECAUSE,
        _functional_call,
        states=("perturbed",),
    ),
)
