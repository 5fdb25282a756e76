import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit_deflow import Run
from flowkit_deflow.training.checkpoint_io import last_checkpoint, steps_of
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.training.stopping import SignalAt

Settings = Callable[..., Run]

pytestmark = pytest.mark.filterwarnings("ignore:::pytorch_lightning")

RAISED: dict[signal.Signals, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: SystemExit,
}


@pytest.mark.parametrize("number", RAISED)
@pytest.mark.parametrize(("step", "times", "ended"), [(3, 1, 3), (4, 1, 4), (3, 2, 2)])
def test_it_stops_before_the_next_step_and_at_the_second_time_at_once(
    number: signal.Signals, step: int, times: int, ended: int, tiny: Settings, tmp_path: Path
) -> None:
    before = [signal.getsignal(each) for each in RAISED]
    sent = SignalAt(step, number, times)
    run = tiny("training.workers=0", "training.steps=4", "training.image_every=0")
    with pytest.raises(RAISED[number]) as stopped:
        train(run, tmp_path, progress=False, callbacks=[sent])
    if isinstance(stopped.value, SystemExit):
        assert stopped.value.code == 128 + signal.SIGTERM
    assert sent.ended == ended
    assert not (tmp_path / "model").exists()
    # The last step that ended is saved, though checkpoints come at even steps.
    assert steps_of(last_checkpoint(tmp_path)) == ended
    assert [signal.getsignal(each) for each in RAISED] == before


def test_stopped_runs_go_on_to_the_weights_of_one_that_was_let_alone(
    tiny: Settings, trained: Path, tmp_path: Path
) -> None:
    for step, number in ((3, signal.SIGTERM), (5, signal.SIGINT)):
        with pytest.raises(RAISED[number]):
            train(tiny("training.workers=0"), tmp_path, progress=False, callbacks=[SignalAt(step, number)])
    train(tiny("training.workers=0"), tmp_path, progress=False)
    weights = [(run / "model" / "model.safetensors").read_bytes() for run in (tmp_path, trained)]
    assert weights[0] == weights[1]
    rows = [(run / "log" / "scalars.csv").read_text() for run in (tmp_path, trained)]
    assert rows[0] == rows[1]
