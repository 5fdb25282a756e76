"""Gradients are those of the map, and reach every parameter."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

from flowkit.bijectors.inverse import Inverse
from flowkit.testing.properties.tolerances import EXACT, YES_OR_NO
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import apply_to, tensors
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["PROPERTIES"]

# Enough samples to reach each ReLU and each bin of a spline.
SAMPLES = 16
# How many bijectors with other parameters are tried when one gives no gradient.
OTHERS = 3
# Rounding of terms of order one that cancel; a real gradient is orders of magnitude larger.
ZERO = 1e-12


def _gradcheck(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample(subject.batch(1))
    bijector = subject.bijector
    for name, module, prefix, value in (
        ("forward", bijector, "", sample.x),
        ("inverse", Inverse(bijector), "bijector.", sample.z),
    ):
        parameters = {prefix + key: p.detach() for key, p in bijector.named_parameters() if p.requires_grad}

        def call(
            *flat: Tensor, module: Any = module, like: Any = value, parameters: dict[str, Tensor] = parameters
        ) -> tuple[Tensor, ...]:
            given = iter(flat)
            x = apply_to(like, lambda _: next(given))
            context = apply_to(sample.context, lambda _: next(given))
            swapped = _split(next(given), parameters) if parameters else {}
            result, log_det = torch.func.functional_call(module, swapped, (x, context))
            # gradcheck skips outputs that are detached from the graph: adding zero attaches them, so that it sees them.
            attached = torch.stack([part.sum() for part in flat]).sum() * 0.0
            return tuple(part + attached for part in [*tensors(result), *tensors(log_det)])

        # All parameters in one vector: each input costs gradcheck several passes, and a flow has hundreds.
        together = [torch.cat([p.flatten() for p in parameters.values()])] if parameters else []
        leaves = [*tensors(value), *tensors(sample.context), *together]
        inputs = tuple(leaf.detach().clone().requires_grad_() for leaf in leaves)
        try:
            torch.autograd.gradcheck(call, inputs, fast_mode=True)
        except GradcheckError as error:
            names = ["the input"] * len(tensors(value)) + ["the context"] * len(tensors(sample.context))
            raise ContractViolation(f"{name}: {_explained(str(error), [*names, 'the parameters'])}") from error
        yield HOLDS


def _split(vector: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    pieces = vector.split([tensor.numel() for tensor in like.values()])
    return {key: piece.view_as(tensor) for (key, tensor), piece in zip(like.items(), pieces, strict=True)}


def _explained(message: str, inputs: list[str]) -> str:
    found = re.search(r"output (\d+) with respect to input (\d+)", message)
    if found is None:
        return message.strip().splitlines()[0]
    output, name = found[1], inputs[int(found[2])]
    return (
        f"autograd's gradient of output {output} (the last is the log-determinant) with respect to {name} is not the "
        "slope of the function"
    )


def _reaches_parameters(subject: Subject) -> Iterator[Measurement]:
    if not any(parameter.requires_grad for parameter in subject.bijector.parameters()):
        raise NotApplicable("it has no parameters")
    for name in ("forward", "inverse"):
        unreached = _unreached(subject, name)
        if subject.state == "perturbed":
            # All ReLUs of a network may be off by chance: that is no failure if other parameters give a gradient.
            other = subject
            for _ in range(OTHERS):
                if not unreached:
                    break
                other = other.sibling
                unreached &= _unreached(other, name)
            if unreached:
                raise ContractViolation(f"{name} gives the parameter {min(unreached)!r} no gradient")
        yield HOLDS


def _unreached(subject: Subject, name: str) -> set[str]:
    """The parameters that receive no gradient from a direction, or only zeros."""
    bijector, sample = subject.bijector, subject.sample(subject.batch(SAMPLES))
    parameters = {key: p for key, p in bijector.named_parameters() if p.requires_grad}
    value = sample.x if name == "forward" else sample.z
    result, log_det = getattr(bijector, name)(value, sample.context)
    # The gradient of a plain sum may vanish by symmetry: random weights break it.
    generator = torch.Generator().manual_seed(subject.seed)
    loss = torch.stack(
        [
            (part * torch.randn(part.shape, dtype=part.dtype, generator=generator)).sum()
            for part in [*tensors(result), *tensors(log_det)]
        ]
    ).sum()
    if not loss.requires_grad:
        return set(parameters)
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    unreached = set()
    for key, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None and not gradient.isfinite().all():
            raise ContractViolation(f"{name} gives the parameter {key!r} a gradient that is not finite")
        if gradient is None or float(gradient.abs().max()) < ZERO:
            unreached.add(key)
    return unreached


PROPERTIES = (
    Property(
        "gradients",
        "Gradients of both directions' results and log-determinants, with respect to input, context and parameters, "
        "pass gradcheck.",
        EXACT,
        "torch.autograd.gradcheck in fast mode with its own tolerances: finite differences with steps of 1e-6 "
        "are good to a relative 1e-5",
        _gradcheck,
    ),
    Property(
        "parameter_gradients",
        "Every parameter receives a finite gradient from either direction, and one that is not zero away from special "
        "points, such as a start at zero.",
        EXACT,
        YES_OR_NO,
        _reaches_parameters,
    ),
)
