"""``deflow train`` over the life of a run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import read_run, to_yaml
from flowkit_deflow.training.checkpoint_io import last_checkpoint, steps_of
from tests.flowkit_deflow.conftest import Command, Photos

Settings = Callable[..., Run]

ONE_PROCESS = ("--set", "training.workers=0", "--set", "training.accelerator=cpu")


@pytest.fixture
def folders(photos: Photos) -> tuple[object, ...]:
    return "--clean", photos.clean, "--degraded", photos.noisy


class TestGoingOn:
    def test_the_folder_alone_is_enough(
        self, deflow: Command, folders: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "run"
        begun = deflow("train", *folders, "--preset", "tiny", "--steps", 2, "--seed", 5, *ONE_PROCESS, "--out", out)
        assert begun.status == 0, begun.err
        assert "Take care: There are 8 clean images and 8 degraded images. " in begun.out
        longer = deflow("train", "--out", out, "--steps", 4, "--set", "log_every=2")
        assert longer.status == 0, longer.err
        assert "Going on from step 2 of 4." in longer.out
        assert "training.steps was 2, now 4; training.log_every was 1, now 2." in longer.out
        assert "Take care" not in longer.out
        alone = deflow("train", "--out", out)
        assert alone.status == 0, alone.err
        assert "Going on from step 4 of 4." in alone.out
        assert "Other settings" not in alone.out
        assert read_run(out / "run.yaml").training.seed == 5
        # The first command again: its folder holds a longer run now.
        short = deflow("train", *folders, "--preset", "tiny", "--steps", 2, "--seed", 5, "--out", out)
        assert short.status == 2
        assert "training.steps was 4, now 2" in short.err

    def test_without_any_settings_a_failed_run_is_tried_again_but_new_ones_are_free(
        self, deflow: Command, folders: tuple[object, ...], photos: Photos, tiny: Settings, tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        out.mkdir()
        (out / "run.yaml").write_text(to_yaml(tiny("training.steps=3", "training.workers=0", "training.seed=9")))
        assert deflow("train", "--out", out).status == 0
        assert steps_of(last_checkpoint(out)) == 3
        last_checkpoint(out).unlink()
        (out / "run.yaml").write_text(to_yaml(tiny("training.learning_rate=1e30")))
        assert deflow("train", *folders, "--preset", "tiny", "--steps", 1, *ONE_PROCESS, "--out", out).status == 0
        assert read_run(out / "run.yaml").training.learning_rate == 1e-3


class TestFrom:
    def test_a_model_folder(
        self, deflow: Command, folders: tuple[object, ...], tiny: Settings, trained: Path, tmp_path: Path
    ) -> None:
        command = ("train", "--from", trained, *folders, "--preset", "small", "--steps", 1, "--out", tmp_path / "run")
        # The preset gives the training, the model its architecture.
        for _ in range(2):
            ended = deflow(*command, *ONE_PROCESS, "--set", "batch=4", "--set", "data.crop=16")
            assert ended.status == 0, ended.err
            assert f"The architecture is that of {trained}." in ended.out
        run = read_run(tmp_path / "run" / "run.yaml")
        assert run.architecture == tiny().architecture
        assert run.training.initial_model == str(trained)
        assert run.training.warmup == 50

    def test_a_published_checkpoint_needs_its_architecture(
        self, deflow: Command, folders: tuple[object, ...], trained: Path, tmp_path: Path
    ) -> None:
        weights = trained / "model" / "model.safetensors"
        ended = deflow("train", "--from", weights, *folders, "--out", tmp_path / "run")
        assert ended.status == 2
        assert "name it with --preset (aim, ntire or dped) or --config" in ended.err
        ended = deflow("train", "--from", weights, *folders, "--preset", "ntire", "--out", tmp_path / "run")
        assert ended.status == 2
        assert ended.err.count("\n") == 1
        assert not (tmp_path / "run").exists()


def test_the_settings_of_a_preset_can_be_edited_and_given(
    deflow: Command, folders: tuple[object, ...], tmp_path: Path
) -> None:
    printed = deflow("config", "--preset", "tiny")
    assert printed.status == 0
    assert "  # optimiser steps in all" in printed.out
    (tmp_path / "mine.yaml").write_text(printed.out.replace("  steps: 8\n", "  steps: 1\n"))
    ended = deflow("train", *folders, "--config", tmp_path / "mine.yaml", *ONE_PROCESS, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())["training"]["steps"] == 1
    assert deflow("config", "--preset", "tinny").status == 2


def test_the_settings_of_other_degraders_and_of_restorers_are_printed(deflow: Command, tmp_path: Path) -> None:
    printed = deflow("config", "--degrader", "white", "--preset", "uniform")
    assert printed.out.startswith("# Settings for deflow train --degrader white --config.")
    assert yaml.safe_load(printed.out)["noise"] == {"sigma": None, "uniform": True}
    printed = deflow("config", "--restorer")
    assert printed.out.startswith("# Settings for deflow restorer train --config.")
    assert yaml.safe_load(printed.out)["architecture"]["network"] == "residual"
    for wrong in (["--degrader", "whit"], ["--degrader", "white", "--restorer"], ["--restorer", "--preset", "aim"]):
        refused = deflow("config", *wrong)
        assert refused.status == 2
        assert refused.out == ""
        assert refused.err.count("\n") == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_whole_group_saves_and_leaves_one_sentence(
    number: signal.Signals, status: int, tiny: Settings, environment: dict[str, str], tmp_path: Path
) -> None:
    settings = ("training.steps=100000", "training.checkpoint_every=7", "training.workers=2", "training.log_every=1")
    (tmp_path / "mine.yaml").write_text(to_yaml(tiny(*settings, "training.image_every=0", "data.held_out=0")))
    command = [sys.executable, "-m", "flowkit_deflow", "train", "--config", "mine.yaml", "--out", "run"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    last = last_checkpoint(tmp_path / "run")
    while process.poll() is None and not last.exists():
        time.sleep(0.01)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    told = "deflow: stopped; train, restorer train, kernels and what writes a manifest go on when given again\n"
    assert (process.returncode, err) == (status, told)
    step = steps_of(last)
    assert f"Stopped after step {step}, which is saved: deflow train --out run goes on.\n" in out
    # Nothing is lost: the last logged step is the last one that is saved.
    assert (tmp_path / "run" / "log" / "scalars.csv").read_text().splitlines()[-1].startswith(f"{step - 1},")
