import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.monitors.history import History

scalars = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(allow_nan=False, width=64))


@given(st.lists(scalars, max_size=5))
def test_a_csv_file_gives_back_every_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, float]]
) -> None:
    history = History()
    for step, row in enumerate(rows, start=1):
        history.add(step, row)
    path = tmp_path_factory.mktemp("history") / "monitors.csv"
    history.write(path)
    assert History.read(path).rows == history.rows
    assert History.from_state(history.state()).rows == history.rows


def test_half_way_is_the_nearest_monitored_step() -> None:
    history = History()
    assert math.isnan(history.at_half("a"))
    for step in (10, 40, 60, 100):
        history.add(step, {"a": float(step)})
    assert history.at_half("a") == 40
    history.add(115, {"a": 115.0})
    assert history.at_half("a") == 60


def test_the_last_step_is_completed() -> None:
    history = History()
    history.add(3, {"a": 1.0})
    history.complete({"b": 2.0})
    assert (history.steps, history.last("a"), history.last("b")) == (3, 1.0, 2.0)


def test_no_file_is_a_history_without_rows_and_another_file_is_refused(tmp_path: Path) -> None:
    assert History.read(tmp_path / "none.csv").rows == []
    (tmp_path / "other.csv").write_text("name,value\nx,1\n")
    with pytest.raises(UserError, match=r"other\.csv: holds no monitored steps"):
        History.read(tmp_path / "other.csv")
