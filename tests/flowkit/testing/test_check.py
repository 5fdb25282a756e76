"""What the check takes, and what it tells."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import ActNorm, Bijector, Conv1x1, Inverse, LUConv1x1, Squeeze
from flowkit.surjections import AbsoluteValue
from flowkit.testing import (
    PROPERTIES,
    Case,
    ContractViolation,
    Entry,
    Measurement,
    Property,
    check_bijector,
    run_checks,
)
from flowkit.testing.check import as_case, check_property
from flowkit.testing.subject import Subject
from tests.flowkit.testing.broken import SignOfTheLogDet, Sound, case

QUICK = [
    prop for prop in PROPERTIES if prop.id in {"shapes", "round_trip_of_data", "log_det_of_jacobian", "state_dict"}
]
BY_ID = {prop.id: prop for prop in PROPERTIES}


def test_ids_are_words_and_differ() -> None:
    assert len(BY_ID) == len(PROPERTIES)
    assert all(re.fullmatch(r"[a-z0-9_]+", prop.id) for prop in PROPERTIES)


def test_every_property_is_stated_and_justified() -> None:
    for prop in PROPERTIES:
        assert len(prop.statement) > 20
        assert prop.statement.endswith(".")
        assert len(prop.justification) > 20
        assert prop.tolerance >= 0


class TestWhatIsTaken:
    def test_a_class(self) -> None:
        assert check_bijector(Squeeze, event=(3, 4, 2), properties=QUICK).failures == ()

    def test_a_function_that_makes_one(self) -> None:
        report = check_bijector(lambda: LUConv1x1(3), event=(3, 2, 5), properties=QUICK)
        assert report.name == "LUConv1x1"
        assert [row.property for row in report.rows] == [prop.id for prop in QUICK]

    def test_an_instance_which_stays_as_it_is(self) -> None:
        conv = Conv1x1(3)
        before = conv.weight.detach().clone()
        check_bijector(conv, event=(3, 2, 2), properties=PROPERTIES[:12])
        assert torch.equal(conv.weight, before)
        assert conv.weight.dtype == torch.float32
        assert conv.training

    def test_the_parameters_of_an_instance_count(self) -> None:
        # What a new one would hide: a log-determinant that is right at the start alone.
        class RightAtTheStart(ActNorm):
            def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
                z, log_det = super()._forward(x, prepared)
                return z, log_det * bool((self.log_scale == 0).all())

        norm = RightAtTheStart(2, event_dims=1)
        norm.mark_initialized()
        initial = [
            Property("start", "As it starts, its log-determinant is right.", 1e-8, "rounding", m.measure, ("initial",))
            for m in [BY_ID["log_det_of_jacobian"]]
        ]
        assert run_checks(norm, event=(2,), properties=initial).failures == ()
        with torch.no_grad():
            norm.log_scale.fill_(0.5)
        assert run_checks(norm, event=(2,), properties=initial).failures != ()

    def test_a_case_and_an_entry(self) -> None:
        entry = Entry("squeeze", "", lambda draw: Case(Squeeze, (draw(1, 3), 2 * draw(1, 3), 2)))
        check_bijector(entry, properties=QUICK)
        check_bijector(as_case(entry), properties=QUICK)

    def test_an_entry_draws_another_case_for_each_seed_and_term(self) -> None:
        def build(draw: Any) -> Case:
            return Case(Squeeze, (draw(1, 1000), 2, 2))

        events = {as_case(Entry(term, "", build), seed=seed).event for term in ("one", "other") for seed in (0, 1)}
        assert len(events) == 4
        assert as_case(Entry("one", "", build), seed=1).event in events

    def test_a_bijector_with_a_stated_number_of_batch_dimensions(self) -> None:
        class OneBatchDimension(Squeeze):
            batch_dims = 1

        class NoBatchDimension(Squeeze):
            batch_dims = 0

        for squeeze in (OneBatchDimension, NoBatchDimension):
            properties = [prop for prop in PROPERTIES if prop.id not in {"compile", "pickle"}]
            check_bijector(squeeze, event=(1, 4, 2), properties=properties, seeds=(0,))

    @pytest.mark.parametrize("wrong", [3, "Squeeze", None])
    def test_anything_else_is_refused(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match=f"can be checked, not {wrong!r}"):
            check_bijector(wrong, event=(3, 4, 4))

    def test_a_module_that_is_no_bijector_is_refused(self) -> None:
        with pytest.raises(TypeError, match="AbsoluteValue is a module and no Bijector"):
            check_bijector(AbsoluteValue(2), event=(2,))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="makes a Linear, not a Bijector"):
            check_bijector(lambda: nn.Linear(1, 1), event=(1,))  # type: ignore[arg-type,return-value]

    def test_a_missing_event_is_named(self) -> None:
        with pytest.raises(ValueError, match="event is missing"):
            check_bijector(Squeeze)

    @pytest.mark.parametrize("event", [(3, 5, 4), (3, 4), (3, 4, 4, 4)])
    def test_an_event_that_is_not_taken_is_named(self, event: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=rf"Squeeze .*event shape {re.escape(str(event))}"):
            check_bijector(Squeeze, event=event)

    def test_an_event_beside_a_case_is_refused(self) -> None:
        with pytest.raises(ValueError, match="stated by the Case"):
            check_bijector(Case(Squeeze, (3, 4, 4)), event=(3, 4, 4))


class TestExemptions:
    def test_they_are_reported_with_their_reason(self) -> None:
        report = check_bijector(
            SignOfTheLogDet,
            (5,),
            (2,),
            seeds=(0,),
            properties=QUICK,
            exempt={"log_det_of_jacobian": "its sign is another's matter"},
        )
        assert [row.verdict for row in report.rows].count("exempt") == 1
        assert "log_det_of_jacobian is exempt: its sign is another's matter" in str(report)
        assert "1 exempt" in report.summary

    def test_exemptions_of_the_case_count_too(self) -> None:
        exempt = Case(SignOfTheLogDet, (5,), (2,), exempt={"log_det_of_jacobian": "known"})
        check_bijector(exempt, seeds=(0,), properties=QUICK)
        with pytest.raises(ContractViolation):
            check_bijector(case(SignOfTheLogDet), seeds=(0,), properties=QUICK)

    def test_an_unknown_id_is_named(self) -> None:
        with pytest.raises(ValueError, match=r"exempt names no property: log_dett; there are: .*log_det_of_jacobian"):
            check_bijector(Squeeze, (1, 2, 2), exempt={"log_dett": "a slip"})


class TestWhatIsTold:
    def test_a_violation_lists_all_failures_with_figures_and_where(self) -> None:
        with pytest.raises(ContractViolation) as caught:
            check_bijector(case(SignOfTheLogDet), properties=QUICK)
        message = str(caught.value)
        assert "SignOfTheLogDet breaks the contract: 1 property fails, 3 hold" in message
        assert re.search(r"log_det_of_jacobian: .* is off by \d\.\de-0\d, allowed are 1e-08 \(seed 0, initial", message)
        assert "event shape (5,)" in message

    def test_the_report_is_a_table_with_the_worst_figures(self) -> None:
        report = run_checks(case(SignOfTheLogDet), seeds=(0,), properties=QUICK)
        lines = str(report).splitlines()
        assert lines[0] == "SignOfTheLogDet: 1 property fails, 3 hold"
        assert lines[1].split() == ["property", "worst", "tolerance", "verdict"]
        assert len(lines) == 2 + len(QUICK) + 1
        assert all(line.endswith(("passed", "failed")) for line in lines[2:-1])
        assert lines[-1].startswith("FAILED log_det_of_jacobian: ")
        assert not any(line != line.rstrip() for line in lines)
        assert report.failures[0].figure > 0.01

    def test_properties_that_do_not_apply_say_why(self) -> None:
        rows = {row.property: row for row in run_checks(Squeeze, (1, 2, 2), seeds=(0,)).rows}
        for name in ("context_used", "context_of_one", "parameter_gradients"):
            assert rows[name].verdict == "not applicable"
            assert rows[name].message.startswith("it ")

    def test_whatever_a_bijector_raises_is_a_violation_of_what_was_looked_at(self) -> None:
        class Raises(Sound):
            def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
                raise KeyError("no inverse\nfor you")

        report = run_checks(case(Raises), seeds=(0,), properties=QUICK)
        assert {row.property for row in report.failures} == {prop.id for prop in QUICK}
        # Said once.
        assert [reason.count("KeyError") for reason in report.reasons] == [1]
        assert report.reasons[0].startswith("shapes and 3 more: KeyError: 'no inverse")
        assert "round_trip_of_data: KeyError: 'no inverse\\nfor you' (seed 0" in report.failures[1].message

    def test_not_a_number_is_under_no_tolerance(self) -> None:
        def measure(subject: Subject) -> Iterator[Measurement]:
            yield Measurement(0.0, "this")
            yield Measurement(float("nan"), "that")

        prop = Property("nan", "It is a number.", 1.0, "none", measure)
        with pytest.raises(ContractViolation, match="nan: that is off by nan"):
            prop.check(Subject(Case(Squeeze, (1, 2, 2))))

    def test_a_property_that_measures_nothing_is_a_mistake_of_its_own(self) -> None:
        with pytest.raises(ValueError, match="'empty' measured nothing"):
            Property("empty", "Nothing.", 0.0, "none", lambda _: ()).check(Subject(Case(Squeeze, (1, 2, 2))))


class TestStates:
    def test_a_mistake_that_shows_after_training_alone_is_found(self) -> None:
        class NoLogDetOnceTrained(Sound):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("trained", torch.tensor(0.0))

            def log_det(self, log_scale: Tensor) -> Tensor:
                if self.training:
                    self.trained.fill_(1.0)
                return super().log_det(log_scale) * (1 - self.trained)

        report = run_checks(case(NoLogDetOnceTrained), properties=QUICK)
        assert "trained parameters" in report.failures[0].message

    def test_they_differ_and_repeat(self) -> None:
        def made(state: Any, seed: int = 0) -> Tensor:
            bijector = Subject(case(Sound), seed, state).bijector
            assert not bijector.training
            return torch.cat([p.detach().flatten() for p in bijector.parameters()])

        states = [made(state) for state in ("initial", "perturbed", "trained")]
        assert torch.equal(states[1], made("perturbed"))
        assert not any(torch.equal(a, b) for a, b in zip(states, states[1:] + states[:1], strict=True))
        assert not torch.equal(made("initial"), made("initial", seed=1))

    def test_the_global_random_state_is_left_alone(self) -> None:
        before = torch.get_rng_state()
        check_bijector(case(Sound), seeds=(0,), properties=QUICK)
        assert torch.equal(torch.get_rng_state(), before)

    def test_new_tensors_of_the_same_numbers_each_time(self) -> None:
        subject = Subject(case(Sound))
        first, second, other = subject.sample(), subject.sample(), subject.sample(salt=1)
        assert torch.equal(first.x, second.x)
        assert first.x.data_ptr() != second.x.data_ptr()
        assert not torch.equal(first.x, other.x)


def test_check_property_passes_the_worst_figure_on() -> None:
    figure = check_property(BY_ID["round_trip_of_data"], Subject(Case(lambda: LUConv1x1(3), (3, 2, 2))))
    assert 0 < figure < 1e-12


def test_values_that_are_tuples_are_checked_as_well() -> None:
    from flowkit import FactorOut, ZeroConv2d

    def make() -> Bijector[Any, Any]:
        return Inverse(FactorOut(5, ZeroConv2d(2, 6)))

    check_bijector(make, event=((2, 2, 3), (3, 2, 3)), seeds=(0,), exempt={"extreme_inputs": "unbounded"})
