"""Hypothesis strategies: sizes, types, contexts, parameters, random compositions and multi-scale flows."""

from collections.abc import Callable
from typing import Any

import torch

from flowkit.bijector import REAL_LINE, Bijector, Shape
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.compositions import COMPOSITION, MULTI_SCALE
from flowkit.testing.subject import STATES, State, Subject
from flowkit.testing.values import draw_within

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "flowkit.testing.strategies needs hypothesis: pip install 'flowkit-core[testing]'", name="hypothesis"
    ) from error

__all__ = [
    "batches",
    "cases",
    "compositions",
    "contexts",
    "dtypes",
    "multi_scale_flows",
    "parameters",
    "shapes",
    "subjects",
]

SEEDS = st.integers(0, 2**16)


def shapes(dims: int = 3, largest: int = 5, multiple: int = 1) -> st.SearchStrategy[tuple[int, ...]]:
    """Event shapes: odd and even sizes, square or not.

    Args:
        dims: 1 for vectors, 3 for images; their first size is the channels'.
        largest: the largest number of channels; height and width go up to as many multiples.
        multiple: height and width are multiples of this.

    Returns:
        A strategy of tuples.

    Examples:
        >>> from hypothesis import find
        >>> find(shapes(multiple=2), lambda shape: shape[0] > 1)
        (2, 2, 2)
    """
    sizes = st.integers(1, largest)
    return st.tuples(sizes, *[sizes.map(lambda n: n * multiple)] * (dims - 1))


def batches(samples: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    """Batch shapes of no, one or two dimensions.

    Args:
        samples: the largest size of a dimension.

    Returns:
        A strategy of tuples.

    Examples:
        >>> from hypothesis import find
        >>> find(batches(), lambda batch: len(batch) == 2)
        (1, 1)
    """
    return st.lists(st.integers(1, samples), max_size=2).map(tuple)


def dtypes() -> st.SearchStrategy[torch.dtype]:
    """The floating-point types that the contract covers: float64 and float32.

    Returns:
        A strategy of types.

    Examples:
        >>> from hypothesis import find
        >>> find(dtypes(), lambda _: True)
        torch.float64
    """
    return st.sampled_from([torch.float64, torch.float32])


def contexts(shape: Shape, batch: tuple[int, ...] = (3,), dtype: torch.dtype = torch.float64) -> st.SearchStrategy[Any]:
    """Contexts of normal numbers.

    Args:
        shape: event shape, or a tuple of them.
        batch: the batch shape.
        dtype: floating-point type.

    Returns:
        A strategy of tensors, or of tuples of them.

    Examples:
        >>> from hypothesis import find
        >>> find(contexts((5,)), lambda _: True).shape
        torch.Size([3, 5])
    """

    def numbers(seed: int) -> Any:
        return draw_within(REAL_LINE, shape, batch, dtype, torch.Generator().manual_seed(seed))

    return SEEDS.map(numbers)


@st.composite
def cases(draw: Callable[[st.SearchStrategy[Any]], Any], entry: Entry) -> Case:
    """Cases of an entry: hypothesis draws the sizes, and shrinks them.

    Args:
        draw: given by hypothesis.
        entry: the entry whose cases are drawn.

    Returns:
        A strategy of cases.

    Examples:
        >>> from hypothesis import find
        >>> from flowkit.testing.catalogue import CATALOGUE
        >>> find(cases(CATALOGUE["ActNorm"]), lambda case: case.event[0] % 2 == 0).event
        (2, 1, 1)
    """
    return entry.build(_integers(draw))


def compositions() -> st.SearchStrategy[Case]:
    """Random chains of image layers: some inverted, some nested, with and without a context.

    Returns:
        A strategy of cases.

    Examples:
        >>> from hypothesis import find
        >>> type(find(compositions(), lambda case: case.context is None).make()).__name__
        'Chain'
    """
    return cases(COMPOSITION)


def multi_scale_flows() -> st.SearchStrategy[Case]:
    """Random multi-scale flows of one to three levels.

    Returns:
        A strategy of cases.

    Examples:
        >>> from hypothesis import find
        >>> find(multi_scale_flows(), lambda case: len(case.make().output_shape(case.event)) == 2).event
        (1, 4, 4)
    """
    return cases(MULTI_SCALE)


@st.composite
def subjects(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    of: Case | Entry | st.SearchStrategy[Case],
    states: tuple[State, ...] = STATES,
    dtype: torch.dtype = torch.float64,
) -> Subject:
    """Bijectors in a state of their parameters, with data to run them on.

    Args:
        draw: given by hypothesis.
        of: a case, an entry whose cases to draw, or a strategy of cases, as :func:`compositions`.
        states: states of the parameters.
        dtype: floating-point type of parameters and data.

    Returns:
        A strategy of subjects.

    Examples:
        >>> from hypothesis import find
        >>> from flowkit import LUConv1x1
        >>> subject = find(subjects(Case(lambda: LUConv1x1(3), event=(3, 2, 2))), lambda _: True)
        >>> subject.bijector.inverse(subject.sample().z)[1].shape
        torch.Size([3])
    """
    if isinstance(of, Entry):
        of = cases(of)
    case = of if isinstance(of, Case) else draw(of)
    return Subject(case, draw(SEEDS), draw(st.sampled_from(states)), dtype)


def parameters(of: Case | Entry | st.SearchStrategy[Case]) -> st.SearchStrategy[Bijector[Any, Any]]:
    """Bijectors with initial, randomly perturbed or briefly trained parameters.

    Args:
        of: as in :func:`subjects`.

    Returns:
        A strategy of bijectors in eval mode, in float64.

    Examples:
        >>> from hypothesis import find
        >>> from flowkit import ActNorm
        >>> norm = find(parameters(Case(lambda: ActNorm(3), event=(3, 2, 2))), lambda norm: norm.bias.abs().max() > 0.1)
        >>> norm.bias.dtype
        torch.float64
    """
    return subjects(of).map(Subject.again)


def _integers(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Draw:
    return lambda low, high: draw(st.integers(low, high))
