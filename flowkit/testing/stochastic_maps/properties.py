"""The properties of the contract of stochastic maps, in the order in which they are checked and reported."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from flowkit.surjections.stochastic_map import StochasticMap
from flowkit.testing.properties.tolerances import EXACT, ROUNDING, YES_OR_NO
from flowkit.testing.property import HOLDS, Measurement, Property
from flowkit.testing.stochastic_maps import contributions
from flowkit.testing.stochastic_maps.subject import MapSubject
from flowkit.testing.subject import State
from flowkit.testing.values import difference, equal
from flowkit.testing.violation import ContractViolation, NotApplicable

__all__ = ["PROPERTIES"]

STATES: tuple[State, ...] = ("initial", "perturbed")
SALT = 30


def _both_ways(subject: MapSubject, batch: tuple[int, ...], of: StochasticMap | None = None) -> list[list[Tensor]]:
    """Results of ``forward`` and of ``inverse``, each with a generator of its own."""
    used = of or subject.map
    context = subject.context(batch)
    forward = used(subject.data(batch), context, generator=subject.generator(SALT))
    inverse = used.inverse(subject.latents(batch), context, generator=subject.generator(SALT + 1))
    return [list(forward), list(inverse)]


def _shapes(subject: MapSubject) -> Iterator[Measurement]:
    for batch in subject.case.batches:
        results = _both_ways(subject, batch)
        for (value, contribution), event, name in zip(
            results, (subject.latent_shape, subject.case.event), ("forward", "inverse"), strict=True
        ):
            for got, expected in ((value.shape, (*batch, *event)), (contribution.shape, batch)):
                if tuple(got) != tuple(expected):
                    raise ContractViolation(f"{name} of a batch {batch} gives the shape {tuple(got)}, not {expected}")
            yield HOLDS


def _latents_within(subject: MapSubject) -> Iterator[Measurement]:
    z, _ = subject.map(subject.data((100,)), subject.context((100,)), generator=subject.generator(SALT))
    lower, upper = subject.map.latent_interval
    if not bool(((z >= lower) & (z <= upper)).all()):
        raise ContractViolation(
            f"forward gives values in ({float(z.min()):.3g}, {float(z.max()):.3g}), latent_interval is "
            f"({lower:g}, {upper:g})"
        )
    yield HOLDS


def _leads_back(subject: MapSubject) -> Iterator[Measurement]:
    if not subject.map.is_exact:
        raise NotApplicable("its latents are drawn")
    z, context = subject.latents((50,)), subject.context((50,))
    with torch.no_grad():
        x, minus = subject.map.inverse(z, context, generator=subject.generator(SALT))
        again, contribution = subject.map(x, context)
    yield Measurement(difference(again, z, "forward(inverse(z))"), "forward(inverse(z)) against z")
    yield Measurement(difference(contribution, -minus, "forward's contribution"), "forward's contribution")


def _generator(subject: MapSubject) -> Iterator[Measurement]:
    results = []
    # Other states of the global generator: a draw that comes from it would differ.
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            before = torch.random.get_rng_state()
            results.append(_both_ways(subject, (7,)))
            if not torch.equal(before, torch.random.get_rng_state()):
                raise ContractViolation("a call with a generator draws from PyTorch's global one")
    if not all(map(equal, map(tuple, results[0]), map(tuple, results[1]))):
        raise ContractViolation("calls with equal generators give other numbers")
    yield HOLDS


def _exact_latents(subject: MapSubject) -> Iterator[Measurement]:
    if not subject.map.is_exact:
        raise NotApplicable("its latents are drawn")
    x, context = subject.data((5,)), subject.context((5,))
    with torch.no_grad():
        together = subject.map(x, context)
        for row in range(5):
            alone = subject.map(x[row : row + 1], None if context is None else context[row : row + 1])
            expected = tuple(part[row : row + 1] for part in together)
            yield Measurement(difference(tuple(alone), expected, "forward of one sample"), "a sample on its own")


def _gradients(subject: MapSubject) -> Iterator[Measurement]:
    batch = (6,)
    for name, given in (("forward", subject.data(batch)), ("inverse", subject.latents(batch))):
        given.requires_grad_()
        call = subject.map if name == "forward" else subject.map.inverse
        value, contribution = call(given, subject.context(batch), generator=subject.generator(SALT))
        total = value.square().sum() + contribution.sum()
        wanted = [given, *(parameter for parameter in subject.map.parameters() if parameter.requires_grad)]
        gradients = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad else ()
        if not all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None):
            raise ContractViolation(f"{name} has gradients that are not finite")
        yield HOLDS


def _inputs_untouched(subject: MapSubject) -> Iterator[Measurement]:
    x, z = subject.data((4,)), subject.latents((4,))
    with torch.no_grad():
        subject.map(x, subject.context((4,)), generator=subject.generator(SALT))
        subject.map.inverse(z, subject.context((4,)), generator=subject.generator(SALT))
    for name, given, kept in (("x", x, subject.data((4,))), ("z", z, subject.latents((4,)))):
        if not torch.equal(given, kept):
            raise ContractViolation(f"the call changed its {name} in place")
        yield HOLDS


def _copies(subject: MapSubject) -> Iterator[Measurement]:
    with torch.no_grad():
        expected = _both_ways(subject, (4,))
        loaded = copy.deepcopy(subject.sibling.map)
        loaded.load_state_dict(subject.map.state_dict())
        for other, what in ((copy.deepcopy(subject.map), "a deep copy"), (loaded, "a map that loads its state dict")):
            results = _both_ways(subject, (4,), other)
            if not all(map(equal, map(tuple, results), map(tuple, expected))):
                raise ContractViolation(f"{what} gives other numbers for equal generators")
            yield HOLDS


def _precision(subject: MapSubject) -> Iterator[Measurement]:
    for dtype in (torch.float32, torch.float64):
        one = subject if dtype == subject.dtype else subject.in_float32
        with torch.no_grad():
            for results, name in zip(_both_ways(one, (5,)), ("forward", "inverse"), strict=True):
                for part in results:
                    if part.dtype != dtype or not bool(part.isfinite().all()):
                        raise ContractViolation(f"{name} of {dtype} gives {part.dtype}, or numbers that are not finite")
        yield HOLDS


def _claim(
    name: str,
    statement: str,
    measure: Callable[[MapSubject], Iterator[Measurement]],
    tolerance: float = EXACT,
    why: str = YES_OR_NO,
) -> Property[MapSubject]:
    return Property(name, statement, tolerance, why, measure, STATES)


PROPERTIES: tuple[Property[MapSubject], ...] = (
    _claim(
        "shapes",
        "Latents have the batch shape and output_shape, data the batch and event shape, contributions the batch "
        "shape, for batches of any number of dimensions and of no samples.",
        _shapes,
    ),
    _claim("latents_within", "What forward gives lies between the ends of latent_interval.", _latents_within),
    _claim(
        "leads_back",
        "Of an exact map, forward(inverse(z)) is z, and the two contributions are opposite.",
        _leads_back,
        ROUNDING,
        "float64 rounds at 1e-16; float32 somewhere inside costs 1e-7",
    ),
    *contributions.PROPERTIES,
    _claim("generator", "With a generator, calls repeat, and the global one is not touched.", _generator),
    _claim(
        "independence",
        "Of an exact map, forward of a sample does not depend on the others of its batch.",
        _exact_latents,
        ROUNDING,
        "sums of another order round differently",
    ),
    _claim("gradients", "Gradients of values and contributions are finite, both ways.", _gradients),
    _claim("inputs_untouched", "No call changes its inputs in place.", _inputs_untouched),
    _claim("copies", "Deep copies, and maps that load the state dict, give the same numbers.", _copies),
    _claim("precision", "Results of float32 and float64 are finite, and of the type of what was given.", _precision),
)
