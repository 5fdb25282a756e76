import math
from pathlib import Path

import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.training.model_choice import ModelChoice, choose_step
from flowkit_deflow.training.selection import (
    SELECTIONS,
    Figure,
    Selection,
    difference,
    improves,
)
from tests.flowkit_deflow.training.monitors.snapshots import KnownLatents, model_with


def selection(name: str) -> Selection:
    chosen = SELECTIONS[name]
    assert chosen is not None
    return chosen


@pytest.fixture(scope="module")
def snapshot() -> KnownLatents:
    return KnownLatents(model_with(0.5), 1.5)


def told_apart(observed: float, expected: float) -> dict[str, float]:
    return {
        "evidence_clean": -observed / 2,
        "evidence_degraded": observed / 2,
        "expected_evidence_clean": -expected / 2,
        "expected_evidence_degraded": expected / 2,
    }


def test_the_code_length_is_that_of_both_domains_crop_by_crop(snapshot: KnownLatents) -> None:
    figure = selection("code_length")(snapshot, {})
    assert figure.value == pytest.approx(sum(float(snapshot.bits[domain].mean()) for domain in Domain))
    assert [len(part) for part in figure.parts] == [32, 32]


class TestEvidence:
    def figure(self, snapshot: KnownLatents, observed: float, expected: float) -> Figure:
        return selection("evidence")(snapshot, told_apart(observed, expected))

    def test_it_is_best_where_it_is_as_expected(self, snapshot: KnownLatents) -> None:
        assert self.figure(snapshot, 0.2, 0.2).value == 0
        half, double = (self.figure(snapshot, factor * 0.2, 0.2).value for factor in (0.5, 2.0))
        assert half == pytest.approx(double)
        assert half < self.figure(snapshot, 0.05, 0.2).value

    @pytest.mark.parametrize(("observed", "expected"), [(0.0, 0.0), (-0.1, 0.2), (0.2, 1e-4)])
    def test_next_to_no_shift_is_never_the_best(self, snapshot: KnownLatents, observed: float, expected: float) -> None:
        assert not improves(self.figure(snapshot, observed, expected), None)

    def test_a_model_that_scores_both_domains_alike_has_none(self, snapshot: KnownLatents) -> None:
        assert not improves(selection("evidence")(snapshot, {"bits_clean": 1.0}), None)


def test_what_is_not_finite_is_never_the_best() -> None:
    assert not improves(Figure(math.nan), Figure(1.0))
    assert not improves(Figure(math.inf), None)


class TestDifference:
    def test_its_error_is_that_of_the_crops_differences_whatever_they_have_in_common(self) -> None:
        generator = torch.Generator().manual_seed(0)
        ratios = []
        for _ in range(400):
            common = 10 * torch.randn(2, 32, generator=generator)
            noise = 0.1 * torch.randn(2, 2, 32, generator=generator)
            first, second = (Figure(float(n.mean(1).sum()), tuple(map(tuple, (common + n).tolist()))) for n in noise)
            mean, error = difference(first, second)
            assert mean == pytest.approx(first.value - second.value, abs=1e-5)  # sums of float32 numbers
            ratios.append(mean / error)
        # Student's t with 62 degrees of freedom has a standard deviation of 1.02; that of 400 draws scatters by 4 %.
        assert float(torch.tensor(ratios).std()) == pytest.approx(1.02, rel=0.12)

    def test_one_crop_tells_nothing(self) -> None:
        assert not difference(Figure(9.0, ((9.0,),)), Figure(1.0, ((1.0,),))).is_beyond_chance

    def test_an_absurd_crop_does_not_hide_that_all_are_worse(self) -> None:
        best = Figure(0.0, ((0.0,) * 8, (0.0,) * 8))
        assert difference(Figure(1e9, ((2.0,) * 7 + (8e9,), (2.0,) * 8)), best).is_beyond_chance
        assert not difference(Figure(1e9, ((0.0,) * 7 + (8e9,), (0.0,) * 8)), best).is_beyond_chance


class TestChoice:
    BEST = Figure(2.0, ((2.0, 2.0, 2.0), (0.0, 0.0, 0.0)))
    WORSE = Figure(2.1, ((2.1, 2.1, 2.1), (0.0, 0.0, 0.0)))
    # Two standard errors are twice 0.5 over the root of 3.
    NOISY = Figure(2.5, ((2.0, 2.5, 3.0), (0.0, 0.0, 0.0)))

    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A run that keeps the step 3 as its best."""
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "best.ckpt").touch()
        monkeypatch.setattr("flowkit_deflow.training.model_choice.steps_of", lambda _: 3)
        return tmp_path

    def choose(self, run: Path, last: Figure | None, best: Figure | None, step: int = 8) -> ModelChoice:
        return choose_step(run, step, "code_length", last, best)

    def test_a_last_step_that_is_worse_by_more_than_chance_makes_way(self, run: Path) -> None:
        choice = self.choose(run, self.WORSE, self.BEST)
        assert (choice.step, choice.checkpoint) == (3, "checkpoints/best.ckpt")
        assert "the last step, 8, has 2.1 (checkpoints/last.ckpt)" in str(choice)

    def test_a_last_step_that_is_worse_by_chance_stays(self, run: Path) -> None:
        choice = self.choose(run, self.NOISY, self.BEST)
        assert (choice.step, choice.checkpoint) == (8, "checkpoints/last.ckpt")
        assert "step 3 is better by code_length (checkpoints/best.ckpt)" in str(choice)

    def test_a_last_step_that_cannot_be_judged_makes_way(self, run: Path) -> None:
        assert self.choose(run, Figure(math.inf), self.BEST).step == 3

    def test_the_last_step_is_the_best(self, run: Path) -> None:
        choice = self.choose(run, self.BEST, self.BEST, step=3)
        assert str(choice) == ("The model is of step 3 (checkpoints/last.ckpt): it is the best by code_length, 2.")

    def test_without_figures_the_last_step_stays(self, run: Path) -> None:
        assert "no images were held out" in str(self.choose(run, None, None))
        assert self.choose(run, Figure(math.nan), None).step == 8
        (run / "checkpoints" / "best.ckpt").unlink()
        assert self.choose(run, self.WORSE, self.BEST).step == 8

    def test_it_is_written_beside_the_model(self, run: Path) -> None:
        assert ModelChoice.read(run) is None
        choice = self.choose(run, None, None)
        choice.write(run)
        assert ModelChoice.read(run) == choice
        (run / "chosen_step.yaml").write_text("step: first\n")
        with pytest.raises(UserError, match="'step'"):
            ModelChoice.read(run)
