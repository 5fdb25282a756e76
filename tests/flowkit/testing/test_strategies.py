import torch
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit import Bijector, Inverse, MultiScale
from flowkit.testing import Case, Subject
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.strategies import (
    batches,
    cases,
    compositions,
    contexts,
    dtypes,
    multi_scale_flows,
    parameters,
    shapes,
    subjects,
)
from flowkit.testing.values import difference, is_nested, shapes_of
from tests.flowkit.testing.broken import FEATURES, Sound, case

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(shapes(multiple=2), shapes(dims=1), batches(), dtypes())
def test_sizes_and_types(
    image: tuple[int, ...], vector: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype
) -> None:
    assert len(image) == 3
    assert image[1] % 2 == image[2] % 2 == 0
    assert len(vector) == 1
    assert len(batch) <= 2
    assert min((*image, *vector, *batch)) >= 1
    assert dtype in {torch.float64, torch.float32}


def test_odd_channels_and_images_that_are_not_square_come_up() -> None:
    assert find(shapes(), lambda s: s[0] % 2 == 1 and s[0] > 1 and s[1] != s[2]) == (3, 1, 2)


@given(contexts((3, 2), batch=(4,), dtype=torch.float32), contexts(((1,), (2,)), batch=()))
def test_contexts(one: Tensor, several: tuple[Tensor, ...]) -> None:
    assert one.shape == (4, 3, 2)
    assert one.dtype == torch.float32
    assert shapes_of(several) == ((1,), (2,))


@few
@given(subjects(compositions()))
def test_random_compositions_round_trip(subject: Subject) -> None:
    sample = subject.sample()
    z, log_det = subject.bijector(sample.x, sample.context)
    back, log_det_back = subject.bijector.inverse(z, sample.context)
    # As the contract's own.
    assert difference(back, sample.x, "x") < 1e-8
    assert difference(log_det_back, -log_det, "log-det") < 1e-8


@few
@given(multi_scale_flows())
def test_random_multi_scale_flows(flow: Case) -> None:
    bijector = flow.make()
    assert isinstance(bijector, MultiScale)
    assert is_nested(bijector.output_shape(flow.event))


def test_they_shrink_to_the_simplest() -> None:
    assert find(cases(CATALOGUE["Squeeze"]), lambda _: True).event == (1, 2, 2)
    levels = find(multi_scale_flows(), lambda flow: len(flow.make().output_shape(flow.event)) > 1)
    assert levels.event == (1, 4, 4)
    assert isinstance(find(compositions(), lambda c: isinstance(c.make(), Inverse)).make(), Inverse)


@few
@given(st.data())
def test_subjects_of_a_case_an_entry_or_a_strategy(data: st.DataObject) -> None:
    sound = data.draw(subjects(case(Sound), states=("trained",), dtype=torch.float32))
    assert sound.state == "trained"
    assert sound.sample().x.dtype == torch.float32
    assert sound.case.event == (FEATURES,)
    norm = data.draw(subjects(CATALOGUE["ActNorm"]))
    assert norm.bijector(norm.sample().x)[0].dtype == torch.float64
    assert data.draw(subjects(cases(CATALOGUE["Squeeze"]))).sample((7,)).x.shape[0] == 7


@few
@given(parameters(case(Sound)))
def test_parameters(bijector: Bijector[Tensor, Tensor]) -> None:
    assert isinstance(bijector, Sound)
    assert bijector.log_scale.dtype == torch.float64
    assert not bijector.training


def test_parameters_move() -> None:
    moved = find(parameters(case(Sound)), lambda b: bool(b.log_scale.abs().min() > 0))  # type: ignore[union-attr]
    assert isinstance(moved, Sound)
