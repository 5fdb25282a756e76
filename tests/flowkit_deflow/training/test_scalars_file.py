"""The CSV file beside the TensorBoard log."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from flowkit_deflow.training.scalars_file import ScalarsFile


def test_it_has_the_scalars_of_the_log(trained: Path) -> None:
    header, *rows = (trained / "log" / "scalars.csv").read_text().splitlines()
    names = header.split(",")
    assert set(names) == {"step", "loss", "bits_clean", "bits_degraded", "learning_rate", "skipped_steps"}
    log = EventAccumulator(str(trained / "log"))
    log.Reload()
    for name in names[1:]:
        column = names.index(name)
        events = log.Scalars(name)
        assert [int(row.split(",")[0]) for row in rows] == [event.step for event in events]
        # TensorBoard keeps float32.
        assert [float(row.split(",")[column]) for row in rows] == pytest.approx([e.value for e in events], rel=1e-6)


def test_steps_that_are_made_again_replace_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "log" / "scalars.csv"
    first = ScalarsFile(path, start=0)
    for step in range(4):
        first.log_metrics({"loss": float(step), "epoch": 0.0}, step)
    # Killed while it wrote a row.
    path.write_text(path.read_text() + "4,")
    again = ScalarsFile(path, start=2)
    again.log_metrics({"loss": 20.0}, 2)
    again.log_metrics({"loss": 30.0, "more": 1.0}, 3)
    assert path.read_text() == "step,loss\n0,0.0\n1,1.0\n2,20.0\n3,30.0\n"


def test_a_run_that_begins_anew_begins_its_file_anew(tmp_path: Path) -> None:
    path = tmp_path / "scalars.csv"
    ScalarsFile(path, start=0).log_metrics({"loss": 1.0}, 0)
    ScalarsFile(path, start=0).log_metrics({"loss": 2.0}, 0)
    assert path.read_text() == "step,loss\n0,2.0\n"
