"""Which settings of a run may change once it has begun, and what it goes on with."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import read_run, to_yaml
from flowkit_deflow.training.changes import CHANGED, DIVERGED, note_change
from flowkit_deflow.training.checkpoint_io import good_checkpoint, last_checkpoint, steps_of
from flowkit_deflow.training.resuming import begun, going_on, has_begun, resumed
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.conftest import Photos
from tests.flowkit_deflow.training.stopping import SignalAt

Settings = Callable[..., Run]

pytestmark = pytest.mark.filterwarnings("ignore:::pytorch_lightning")


def weights_of(out: Path) -> bytes:
    return (out / "model" / "model.safetensors").read_bytes()


@pytest.fixture
def stopped(tiny: Settings, tmp_path: Path) -> Path:
    """A run that was stopped after three of eight steps."""
    with pytest.raises(SystemExit):
        train(tiny("training.workers=0"), tmp_path / "run", progress=False, callbacks=[SignalAt(3, signal.SIGTERM)])
    return tmp_path / "run"


class TestSettings:
    def test_speed_and_places_may_change_and_what_was_is_written_down(
        self, tiny: Settings, photos: Photos, trained: Path, stopped: Path, tmp_path: Path
    ) -> None:
        moved = tmp_path / "moved"
        shutil.copytree(photos.clean, moved)
        changes = ("training.checkpoint_every=3", "training.log_every=2", "training.max_skipped=5")
        run = tiny(f"data.clean={moved}", "training.workers=1", *changes)
        train(run, stopped, progress=False)
        assert weights_of(stopped) == weights_of(trained)
        assert (stopped / "run.yaml").read_text() == to_yaml(run)
        noted = (stopped / "changes.yaml").read_text()
        assert "step: 3" in noted
        assert "training.workers:\n    - 0\n    - 1\n" in noted

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (
                "training.learning_rate=0.1",
                r"\(training\.learning_rate was 0\.001, now 0\.1\); .*run has diverged",
            ),
            ("training.learning_rate=0.0001", r"now 0\.0001"),
            ("training.steps=7", r"training\.steps was 8, now 7.*not shortened"),
            ("training.seed=1", r"training\.seed was 0, now 1"),
            ("data.crop=24", r"data\.crop was 16, now 24"),
            ("architecture.hidden_channels=9", r"architecture\.hidden_channels was 8, now 9"),
        ],
    )
    def test_what_changes_the_result_may_not(self, tiny: Settings, trained: Path, change: str, told: str) -> None:
        before = begun(trained)
        assert before is not None
        with pytest.raises(UserError, match=told):
            resumed(before, tiny(change))

    def test_a_rate_may_be_lowered_after_the_run_has_diverged(
        self, tiny: Settings, trained: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(trained, tmp_path / "run")
        before = begun(tmp_path / "run")
        assert before is not None
        note_change(before.out, 4, DIVERGED, {})
        _, (difference,) = resumed(before, tiny("training.learning_rate=0.0001"))
        assert str(difference) == "training.learning_rate was 0.001, now 0.0001"
        with pytest.raises(UserError, match=r"now 0\.1"):
            resumed(before, tiny("training.learning_rate=0.1"))
        note_change(before.out, 4, CHANGED, {difference.name: [difference.before, difference.now]})
        with pytest.raises(UserError, match=r"now 0\.0001"):
            resumed(before, tiny("training.learning_rate=0.0001"))

    def test_what_was_measured_stays(self, tiny: Settings, stopped: Path) -> None:
        before = begun(stopped)
        assert before is not None
        run, changed = resumed(before, tiny("training.workers=0", "architecture.factor=auto"))
        assert run.architecture == before.run.architecture
        assert changed == []


class TestLengthening:
    def test_it_ends_as_a_run_that_was_as_long_from_the_start(self, tiny: Settings, tmp_path: Path) -> None:
        # One that is halved at its end alone has the same rates in both.
        changes = ("training.workers=0", "training.halve_at=[]", "training.monitor_every=2")
        train(tiny(*changes, "training.steps=5"), tmp_path / "longer", progress=False)
        train(tiny(*changes, "training.steps=9"), tmp_path / "longer", progress=False)
        train(tiny(*changes, "training.steps=9"), tmp_path / "whole", progress=False)
        assert weights_of(tmp_path / "longer") == weights_of(tmp_path / "whole")
        rows = [(tmp_path / run / "log" / "scalars.csv").read_text() for run in ("longer", "whole")]
        assert rows[0] == rows[1]

    def test_the_schedule_follows_and_says_so(self, tiny: Settings, tmp_path: Path) -> None:
        changes = ("training.workers=0", "training.halve_at=[0.5]")
        train(tiny(*changes, "training.steps=4"), tmp_path, progress=False)
        before = begun(tmp_path)
        assert before is not None
        run, changed = resumed(before, tiny(*changes, "training.steps=12"))
        assert list(going_on(before, run, changed)) == [
            "Going on from step 4 of 12.",
            "Other settings than before: training.steps was 4, now 12.",
            "The learning rate follows its schedule over 12 steps: at step 4 it is 0.001, and was 0.0005.",
        ]
        train(run, tmp_path, progress=False)
        header, *rows = (tmp_path / "log" / "scalars.csv").read_text().splitlines()
        column = header.split(",").index("learning_rate")
        rates = [float(row.split(",")[column]) for row in rows]
        assert rates == pytest.approx([1e-3] * 2 + [5e-4] * 2 + [1e-3] * 2 + [5e-4] * 6)


class TestContent:
    def test_other_images_are_refused_wherever_they_are(
        self, tiny: Settings, photos: Photos, stopped: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        shutil.copytree(photos.clean, other)
        write_image(other / "one_more.png", torch.rand(3, 40, 56))
        with pytest.raises(UserError, match=r"'data\.clean': these files .* \(8 then, 9 now\); put them back"):
            train(tiny("training.workers=0", f"data.clean={other}"), stopped, progress=False)

    def test_an_image_that_was_changed_is_noticed(
        self, tiny: Settings, photos: Photos, stopped: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        shutil.copytree(photos.noisy, other)
        write_image(other / "coffee_0.png", torch.rand(3, 40, 56))
        with pytest.raises(UserError, match=r"'data\.degraded': these files .* \(8 then, 8 now\)"):
            train(tiny("training.workers=0", f"data.degraded={other}"), stopped, progress=False)

    def test_weights_to_start_from_cannot_come_in_later(self, tiny: Settings, trained: Path, stopped: Path) -> None:
        with pytest.raises(UserError, match=r"has begun with other weights than .training\.initial_model. names now"):
            train(tiny("training.workers=0", f"training.initial_model={trained}"), stopped, progress=False)


class TestBegun:
    def test_a_run_that_failed_before_its_first_checkpoint_does_not_tie(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("training.workers=0", "training.max_skipped=1", "training.learning_rate=1e30", "training.steps=20")
        with pytest.raises(UserError, match="goes on from its start: no checkpoint was good"):
            train(run, tmp_path, progress=False)
        assert (tmp_path / "run.yaml").exists()
        assert not has_begun(tmp_path)
        train(tiny("training.workers=0", "training.steps=2"), tmp_path, progress=False)
        assert read_run(tmp_path / "run.yaml").training.learning_rate == 1e-3

    def test_killed_while_a_good_checkpoint_made_room_it_goes_on_from_that(self, stopped: Path) -> None:
        last_checkpoint(stopped).rename(good_checkpoint(stopped))
        before = begun(stopped)
        assert before is not None
        assert before.step == steps_of(last_checkpoint(stopped)) == 3
