"""The log-determinants are those of the Jacobian."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from flowkit.supports import Support
from flowkit.testing.properties.tolerances import ROUNDING
from flowkit.testing.property import Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import difference, tensors, unflatten_event
from flowkit.testing.violation import ContractViolation

__all__ = ["PROPERTIES", "log_det_by_autograd"]


def _against_jacobian(subject: Subject) -> Iterator[Measurement]:
    # One sample, so that the Jacobian is that of one event.
    sample = subject.sample(subject.batch(1))
    data, latents = subject.bijector.data_support(), subject.bijector.latent_support()
    for name, direction, value, supports in (
        ("forward", subject.bijector.forward, sample.x, (data, latents)),
        ("inverse", subject.bijector.inverse, sample.z, (latents, data)),
    ):
        with torch.no_grad():
            _, log_det = direction(value, sample.context)
        expected = log_det_by_autograd(direction, value, sample.context, supports)
        what = f"the log-determinant of {name}"
        yield Measurement(difference(log_det.sum(), expected, what), f"{what} against its autograd Jacobian's")


def log_det_by_autograd(
    direction: Callable[..., Any], value: Any, context: Any, supports: tuple[Support | None, Support | None]
) -> Tensor:
    """log|det| of a direction's derivative, between the tangent spaces of the supports where there are some.

    Args:
        direction: a bijector's ``forward`` or ``inverse``.
        value: one event, any number of batch dimensions of size 1 before it.
        context: its context.
        supports: of the value and of the result; ``None`` for the volume of all entries.

    Returns:
        One number.

    Raises:
        ContractViolation: the derivative is no square matrix.

    Examples:
        >>> from flowkit.bijectors import Positive
        >>> log_det_by_autograd(Positive(), torch.tensor([2.0]), None, (None, None))
        tensor(-0.6931)
    """
    sizes = [part.numel() for part in tensors(value)]

    def flat(vector: Tensor) -> Tensor:
        pieces = [piece.view_as(part) for piece, part in zip(vector.split(sizes), tensors(value), strict=True)]
        result, _ = direction(unflatten_event(value, pieces), context)
        return torch.cat([part.flatten() for part in tensors(result)])

    vector = torch.cat([part.flatten() for part in tensors(value)])
    jacobian = torch.autograd.functional.jacobian(flat, vector, vectorize=True)
    assert isinstance(jacobian, Tensor)
    before, after = supports
    if before is not None and (frame := before.frame(_single(value, before))) is not None:
        jacobian = jacobian @ frame
    if after is not None and (frame := after.frame(_single(direction(value, context)[0], after))) is not None:
        # What leaves the tangent space would be lost.
        within = torch.linalg.lstsq(frame, jacobian).solution
        if not torch.allclose(frame @ within, jacobian, atol=1e-6):
            raise ContractViolation("a direction along the support leads off the other one")
        jacobian = within
    if jacobian.shape[0] != jacobian.shape[1]:
        raise ContractViolation(f"{jacobian.shape[1]} numbers are mapped to {jacobian.shape[0]}: no bijection")
    return torch.linalg.slogdet(jacobian).logabsdet


def _single(value: Tensor, support: Support) -> Tensor:
    return value.detach().reshape(value.shape[value.ndim - support.event_dims :])


def _cancel(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample()
    with torch.no_grad():
        z, forward = subject.bijector(sample.x, sample.context)
        _, inverse = subject.bijector.inverse(z, sample.context)
    what = "the log-determinant of inverse at forward(x)"
    yield Measurement(difference(inverse, -forward, what), f"{what} against minus that of forward")


PROPERTIES = (
    Property(
        "log_det_of_jacobian",
        "Each direction's log-determinant is log|det J| of its own Jacobian, as autograd has it, between the tangent "
        "spaces of the supports where there are some.",
        ROUNDING,
        "the Jacobian and its factorisation round like the values, together below 1e-10; a wrong sign, a forgotten "
        "term or factor is of the size of the log-determinant, an epsilon 1e-6",
        _against_jacobian,
    ),
    Property(
        "log_dets_cancel",
        "The log-determinants of forward at x and of inverse at forward(x) add up to zero.",
        ROUNDING,
        "they are sums of the same numbers with opposite signs, at points that differ by the round trip's rounding; a "
        "mistake is of the size of the log-determinant",
        _cancel,
    ),
)
