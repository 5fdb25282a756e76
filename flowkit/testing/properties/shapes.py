"""Shapes, types and devices of the results."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import REAL_LINE, Bijector
from flowkit.testing.properties.tolerances import EXACT, ROUNDING, YES_OR_NO
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.subject import Sample, Subject
from flowkit.testing.values import apply_to, difference, draw_on, draw_within, is_nested, shapes_of, tensors
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["PROPERTIES"]


def _both_ways(bijector: Bijector[Any, Any], sample: Sample) -> Iterator[tuple[str, Any, Tensor]]:
    with torch.no_grad():
        yield "forward", *bijector(sample.x, sample.context)
        yield "inverse", *bijector.inverse(sample.z, sample.context)


def _shapes(subject: Subject) -> Iterator[Measurement]:
    for batch in subject.batches:
        expected = {"forward": subject.bijector.output_shape(subject.case.event), "inverse": subject.case.event}
        for name, result, log_det in _both_ways(subject.bijector, subject.sample(batch)):
            if not isinstance(log_det, Tensor):
                raise ContractViolation(f"the log-determinant of {name} is a {type(log_det).__name__}, not a tensor")
            if shapes_of(log_det) != batch:
                raise ContractViolation(
                    f"the log-determinant of {name} has the shape {shapes_of(log_det)} for the batch shape {batch}"
                )
            if any(part.shape[: len(batch)] != batch for part in tensors(result)):
                raise ContractViolation(f"{name} gives the shape {shapes_of(result)} for the batch shape {batch}")
            if (got := shapes_of(result, len(batch))) != expected[name]:
                raise ContractViolation(f"{name} gives the event shape {got}, {expected[name]} is expected")
            yield HOLDS


def _output_shape(subject: Subject) -> Iterator[Measurement]:
    event = subject.case.event
    for bijector, when in ((subject.fresh(), "before it was initialised"), (subject.bijector, "")):
        latent = bijector.output_shape(event)
        if (back := bijector.input_shape(latent)) != event:
            raise ContractViolation(f"input_shape(output_shape({event})) is {back} {when}")
        yield HOLDS
    sample = subject.sample()
    batch_dims = len(subject.batch(3))
    for name, result, _ in _both_ways(subject.bijector, sample):
        stated = latent if name == "forward" else event
        if (got := shapes_of(result, batch_dims)) != stated:
            method = "output_shape" if name == "forward" else "input_shape"
            raise ContractViolation(f"{method} says {stated}, {name} gives the event shape {got}")


def _dtypes(subject: Subject) -> Iterator[Measurement]:
    for version in (subject, subject.in_float32):
        for name, result, log_det in _both_ways(version.bijector, version.sample()):
            for what, tensor in (("result", result), ("log-determinant", log_det)):
                if {part.dtype for part in tensors(tensor)} != {version.dtype}:
                    got = ", ".join(sorted({str(part.dtype) for part in tensors(tensor)}))
                    raise ContractViolation(f"{name} of {version.dtype} gives a {what} of {got}")
        yield HOLDS


def _devices(subject: Subject) -> Iterator[Measurement]:
    version = subject.in_float32  # an accelerator may lack float64
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    for device in ("cpu",) if accelerator is None else ("cpu", accelerator.type):
        bijector = version.bijector if device == "cpu" else version.again().to(device)
        for name, result, log_det in _both_ways(bijector, _moved(version.sample(), device)):
            if any(part.device.type != device for part in [*tensors(result), *tensors(log_det)]):
                raise ContractViolation(f"{name} on {device} gives results on another device")
        yield HOLDS
    yield from _on_meta(version)


def _moved(sample: Sample, device: str) -> Sample:
    return Sample(*(apply_to(value, lambda t: t.to(device)) for value in (sample.x, sample.z, sample.context)))


def _on_meta(subject: Subject) -> Iterator[Measurement]:
    """The device without numbers gives shapes; and it stands for those that are not here: what stayed behind shows."""
    bijector = subject.again().to("meta")
    batch = len(subject.batch(3))
    on_cpu = list(_both_ways(subject.bijector, subject.sample()))
    on_meta = list(_both_ways(bijector, _moved(subject.sample(), "meta")))
    for (name, expected, expected_log_det), (_, result, log_det) in zip(on_cpu, on_meta, strict=True):
        if any(part.device.type != "meta" for part in [*tensors(result), *tensors(log_det)]):
            raise ContractViolation(f"{name} on the meta device gives results on another device")
        if (got := shapes_of(result, batch)) != (there := shapes_of(expected, batch)):
            raise ContractViolation(f"{name} on the meta device gives the event shape {got}, {there} on the CPU")
        if shapes_of(log_det) != shapes_of(expected_log_det):
            raise ContractViolation(f"{name} on the meta device gives a log-determinant of {shapes_of(log_det)}")
    yield HOLDS


def _other_event_shapes(subject: Subject) -> Iterator[Measurement]:
    event, context = subject.case.event, subject.case.context
    if is_nested(event):
        raise NotApplicable("it takes a tuple")
    for other, its_context in _variants(event, context):
        yield from _served_or_refused(subject, other, its_context)


def _variants(event: tuple[int, ...], context: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Other event shapes, each with the context shape that goes with it."""
    over_positions = _is_image(context)
    for dim in range(len(event)):
        # What a context for one more row or column would be, only its user knows.
        if dim == 0 or not over_positions:
            yield tuple(size + (i == dim) for i, size in enumerate(event)), context
    if len(event) == 3:
        channels, height, width = event
        yield (channels, height, 2 * width), _stretched(context, (1, 2))
        yield (channels, 3 * height, width), _stretched(context, (3, 1))


def _is_image(context: Any) -> bool:
    if context is None:
        return False
    return any(map(_is_image, context)) if is_nested(context) else len(context) == 3


def _stretched(context: Any, factors: tuple[int, int]) -> Any:
    if not _is_image(context):
        return context
    if is_nested(context):
        return tuple(_stretched(part, factors) for part in context)
    return context[0], factors[0] * context[1], factors[1] * context[2]


def _served_or_refused(subject: Subject, event: tuple[int, ...], context: Any) -> Iterator[Measurement]:
    bijector, dtype, batch = subject.bijector, subject.dtype, subject.batch(2)
    generator = torch.Generator().manual_seed(subject.seed)
    c = None if context is None else draw_within(REAL_LINE, context, batch, dtype, generator)
    try:
        with torch.no_grad():
            x = draw_on(bijector.data_support(), bijector.domain(dtype), event, batch, dtype, generator)
            z, log_det = bijector(x, c)
    except (ValueError, RuntimeError):
        # A layer that was given its network cannot know what that takes; an error is plain to see, whoever raises it.
        yield HOLDS
        return
    if (got := shapes_of(z, len(batch))) != (stated := bijector.output_shape(event)):
        raise ContractViolation(f"for the event shape {event}, forward gives {got} and output_shape says {stated}")
    if shapes_of(log_det) != batch:
        raise ContractViolation(f"for the event shape {event}, the log-determinant has the shape {shapes_of(log_det)}")
    with torch.no_grad():
        back, _ = bijector.inverse(z, c)
    what = f"inverse(forward(x)) for the event shape {event}"
    yield Measurement(difference(back, x, what), f"{what} against x")


PROPERTIES = (
    Property(
        "shapes",
        "Results have the batch shape and the stated event shape, log-determinants the batch shape, for every claimed "
        "batch shape.",
        EXACT,
        YES_OR_NO,
        _shapes,
    ),
    Property(
        "dtypes",
        "float32 in, float32 out; float64 in, float64 out: results and log-determinants.",
        EXACT,
        YES_OR_NO,
        _dtypes,
    ),
    Property(
        "devices",
        "Results and log-determinants are on the input's device, and the bijector moves there as a whole (checked on "
        "the CPU, on the device without numbers, and on an accelerator where there is one).",
        EXACT,
        YES_OR_NO,
        _devices,
        states=("perturbed",),
    ),
    Property(
        "output_shape",
        "output_shape says forward's shape, input_shape leads back, both without running or initialising it.",
        EXACT,
        YES_OR_NO,
        _output_shape,
    ),
    Property(
        "other_event_shapes",
        "Another event shape (wider, higher, one more channel) is served as well, or refused with an error: never "
        "served wrongly.",
        ROUNDING,
        "its round trip, as for round_trip_of_data",
        _other_event_shapes,
        states=("perturbed",),
    ),
)
