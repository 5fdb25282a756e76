"""Half precision costs a stated amount, and float64 is kept."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from flowkit.bijectors.inverse import Inverse
from flowkit.ops.precision import HALF
from flowkit.testing.property import Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import apply_to, tensors
from flowkit.testing.violation import ContractViolation

__all__ = ["PROPERTIES"]

SAMPLES = 16
STEP = 1e-8


def _autocast_log_det(subject: Subject) -> Iterator[Measurement]:
    single = subject.in_float32
    sample, bijector = single.sample(single.batch(SAMPLES)), single.bijector
    for name, direction, value in (("forward", bijector.forward, sample.x), ("inverse", bijector.inverse, sample.z)):
        with torch.no_grad():
            _, expected = direction(value, sample.context)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                result, log_det = direction(value, sample.context)
        if {part.dtype for part in [*tensors(result), *tensors(log_det)]} != {torch.float32}:
            raise ContractViolation(f"{name} of float32 gives another type under autocast")
        size = sum(part.numel() for part in tensors(value)) / max(1, log_det.numel())
        figure = float((log_det - expected).abs().max()) / size
        yield Measurement(figure, f"the log-determinant of {name} under autocast, per element, against float32's")


def _autocast_round_trip(subject: Subject) -> Iterator[Measurement]:
    single = subject.in_float32
    batch = single.batch(SAMPLES)
    sample, bijector = single.sample(batch), single.bijector
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        z, _ = bijector(sample.x, sample.context)
        x, _ = bijector.inverse(z, sample.context)
    errors = [
        ((got - given).abs() / (1 + given.abs())).flatten(len(batch)).amax(-1)
        for got, given in zip(tensors(x), tensors(sample.x), strict=True)
    ]
    median = float(torch.stack(errors).amax(0).median())
    yield Measurement(median, "inverse(forward(x)) under autocast, in half of the samples,")


def _float32_round_trip(subject: Subject) -> Iterator[Measurement]:
    single = subject.in_float32
    batch = single.batch(SAMPLES)
    sample, bijector = single.sample(batch), single.bijector
    with torch.no_grad():
        z, _ = bijector(sample.x, sample.context)
        x, _ = bijector.inverse(z, sample.context)
    errors = [
        ((got - given).abs() / (1 + given.abs())).flatten(len(batch)).amax(-1)
        for got, given in zip(tensors(x), tensors(sample.x), strict=True)
    ]
    yield Measurement(
        float(torch.stack(errors).amax(0).median()), "inverse(forward(x)) in float32, in half of the samples,"
    )


def _half_precision(subject: Subject) -> Iterator[Measurement]:
    for dtype in HALF:
        half = replace(subject, dtype=dtype)
        batch = half.batch(SAMPLES)
        sample, bijector = half.sample(batch), half.again()
        # The same rounded parameters and data, computed with in float32: what is measured is computing alone.
        single = half.again().float()
        has_parameters = next(bijector.parameters(), None) is not None
        for name in ("forward", "inverse"):
            value = sample.x if name == "forward" else sample.z
            with torch.no_grad():
                result, log_det = getattr(bijector, name)(value, sample.context)
                given, context = (apply_to(v, lambda t: t.float()) for v in (value, sample.context))
                # As a part, which is not checked again: rounded to half precision, numbers sum to 1 no more.
                expected, expected_log_det = single.run(given, single.prepare(context), name == "inverse")
            allowed = {dtype} if has_parameters else {dtype, torch.float32}
            if not {part.dtype for part in tensors(result)} <= allowed or log_det.dtype != torch.float32:
                got = ", ".join(str(part.dtype) for part in [*tensors(result), log_det])
                raise ContractViolation(f"{name} of {dtype} gives {got}; {dtype} and float32 are expected")
            figure = max(
                float(((one.float() - other).abs() / (1 + other.abs())).flatten(len(batch)).amax(-1).median())
                for one, other in zip(tensors(result), tensors(expected), strict=True)
            )
            yield Measurement(figure, f"{name} in {dtype}, in half of the samples, against float32's,")
            size = sum(part.numel() for part in tensors(value)) / max(1, log_det.numel())
            figure = float((log_det - expected_log_det).abs().median()) / size
            yield Measurement(figure, f"the log-determinant of {name} in {dtype}, per element, against float32's")
            # Gradients of float16, which ends at 65504, are for a scaled loss.
            if dtype != torch.bfloat16:
                continue
            result, log_det = getattr(bijector, name)(value, sample.context)
            loss = torch.stack([part.float().square().sum() for part in tensors(result)]).sum() + log_det.sum()
            if loss.requires_grad:
                bijector.zero_grad()
                loss.backward()
                if any(p.grad is not None and not p.grad.isfinite().all() for p in bijector.parameters()):
                    raise ContractViolation(f"{name} of {dtype} gives a parameter a gradient that is not finite")


def _float64_kept(subject: Subject) -> Iterator[Measurement]:
    sample, bijector = subject.sample(), subject.bijector
    for name, module, prefix, value in (
        ("forward", bijector, "", sample.x),
        ("inverse", Inverse(bijector), "bijector.", sample.z),
    ):
        parameters = {prefix + key: p for key, p in bijector.named_parameters()}
        start = [t.detach() for t in [*tensors(value), *tensors(sample.context), *parameters.values()]]
        generator = torch.Generator().manual_seed(subject.seed)

        def call(
            flat: list[Tensor], module: Any = module, like: Any = value, keys: tuple[str, ...] = tuple(parameters)
        ) -> list[Tensor]:
            given = iter(flat)
            x = apply_to(like, lambda _: next(given))
            context = apply_to(sample.context, lambda _: next(given))
            result, log_det = torch.func.functional_call(module, {key: next(given) for key in keys}, (x, context))
            return [*tensors(result), *tensors(log_det)]

        def random_like(like: list[Tensor], generator: torch.Generator = generator) -> list[Tensor]:
            return [torch.randn(t.shape, dtype=t.dtype, generator=generator) for t in like]

        leaves = [t.requires_grad_() for t in start]
        outputs = call(leaves)
        weights, direction = random_like(outputs), random_like(leaves)
        slope = _slope(outputs, weights, leaves, direction)
        with torch.no_grad():
            moved = call([t + STEP * d for t, d in zip(leaves, direction, strict=True)])
        for i, (after, before, weight) in enumerate(zip(moved, outputs, weights, strict=True)):
            quotient = float(((after - before.detach()) * weight).sum()) / STEP
            what = f"the slope of output {i} of {name} over a step of {STEP:g} (the last is the log-determinant)"
            yield Measurement(abs(quotient - slope[i]) / (1 + abs(slope[i])), f"{what}, against autograd's,")


def _slope(outputs: list[Tensor], weights: list[Tensor], leaves: list[Tensor], direction: list[Tensor]) -> list[float]:
    """Derivative of each weighted output along a direction; 0 for outputs that depend on nothing."""
    slopes = []
    for output, weight in zip(outputs, weights, strict=True):
        slope = 0.0
        if output.requires_grad:
            gradients = torch.autograd.grad((output * weight).sum(), leaves, retain_graph=True, allow_unused=True)
            slope = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True) if g is not None)
        slopes.append(slope)
    return slopes


PROPERTIES = (
    Property(
        "float32_round_trip",
        "In float32, inverse(forward(x)) is x within a hundred times its rounding, for most samples.",
        1e-5,
        "float32 rounds at 6e-8 an operation; a map whose slopes are all within some e^(+-3) leaves 1e-6, one whose "
        "slopes run to e^(+-7), as a spline's may where nothing bounds the shares of its bins, loses all digits in a "
        "few layers",
        _float32_round_trip,
        states=("perturbed",),
    ),
    Property(
        "autocast_log_det",
        "Under bfloat16 autocast, float32 stays float32 and the log-determinant within a bound of float32's, per "
        "element.",
        0.2,
        "only the networks that set parameters round to bfloat16, by 2^-9 an operation: outputs of order 1 to 5 are "
        "off by 0.01 to 0.05 after some five operations, a log-scale with them, and a spline's log-slope, which two "
        "dozen such numbers set, by some times that (0.1 was seen); it is a bound on the harm, while results that turn "
        "bfloat16, and large terms that cancel when summed in it, are mistakes that it tells",
        _autocast_log_det,
        states=("perturbed",),
    ),
    Property(
        "autocast_round_trip",
        "Under bfloat16 autocast, inverse(forward(x)) is x as nearly as float32 has it, for most samples.",
        1e-3,
        "both directions compute the same parameters from the same numbers, so half precision cancels and float32's "
        "rounding (1e-7, values up to 1e3) is left; between layers its last bit may flip a rounding to bfloat16, in "
        "few samples, so their median is judged; a matrix or a scale in bfloat16 costs every sample 1e-2",
        _autocast_round_trip,
        states=("perturbed",),
    ),
    Property(
        "half_precision",
        "With parameters and data in bfloat16 or float16, results are of that type, log-determinants float32, both "
        "near float32's of the same numbers, and the gradients of bfloat16 finite.",
        0.1,
        "networks that set parameters round to bfloat16 by 2^-9 an operation, which moves outputs of order 1 to 5 by "
        "0.01 to 0.05 as under autocast; what is inverted, summed or exponentiated in half precision costs more",
        _half_precision,
        states=("perturbed",),
    ),
    Property(
        "float64_kept",
        "float64 is never lowered inside: results follow a step of 1e-8 of input, context and parameters.",
        1e-3,
        "float64 rounds the quotient at 1e-16 / 1e-8 = 1e-8 times the values (up to 1e3), iterative inverses leave "
        "1e-10 / 1e-8 of what does not cancel; in float32 the step is lost, which is an error of 1",
        _float64_kept,
        states=("perturbed",),
    ),
)
