"""Photographs, a trained model and the command, for these tests."""

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from flowkit_deflow.app.cli import main
from flowkit_deflow.settings.presets import preset
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import override
from flowkit_deflow.training.trainer import train

HEIGHT, WIDTH = 40, 56


class Photos(NamedTuple):
    """Two unrelated folders of small photographs."""

    clean: Path
    noisy: Path


class Ended(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


class Command(Protocol):
    def __call__(self, *arguments: object) -> Ended: ...


class Evil:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    # The tensors are tiny: handing them to several threads costs many times what it saves.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Eight crops of four photographs in each folder, from different places; one of them in a sub-folder."""
    root = tmp_path_factory.mktemp("photos")
    folders = Photos(root / "clean", root / "noisy")
    random = np.random.default_rng(0)
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photograph = getattr(data, name)()
        for number in range(2):
            for folder, left in ((folders.clean, 80), (folders.noisy, 200)):
                top = 60 + 90 * number
                crop = photograph[top : top + HEIGHT, left : left + WIDTH].astype(np.float64)
                if folder is folders.noisy:
                    crop = crop + random.normal(0, 20, crop.shape)
                below = "more" if name == "rocket" and number else "."
                path = folder / below / f"{name}_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(crop.clip(0, 255).round().astype(np.uint8)).save(path)
    return folders


@pytest.fixture(scope="session")
def tiny(photos: Photos) -> Callable[..., Run]:
    """The preset ``tiny`` on these photographs, with changed settings."""

    def settings(*changes: str) -> Run:
        folders = [f"data.clean={photos.clean}", f"data.degraded={photos.noisy}", "training.accelerator=cpu"]
        return override(preset("tiny"), [*folders, *changes])

    return settings


@pytest.fixture(scope="session")
def trained(tiny: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("trained") / "run"
    train(tiny(), out, progress=False)
    return out


@pytest.fixture(scope="session")
def model_folder(trained: Path) -> Path:
    return trained / "model"


@pytest.fixture
def deflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, run in this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["deflow", *map(str, arguments)])
        capsys.readouterr()
        # main() changes the filters of the process it takes for its own.
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, out, err)

    return run


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """For processes that tests start: one thread each."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def run_python(environment: dict[str, str]) -> Callable[..., Ended]:
    """A Python process of its own."""

    def run(
        arguments: Sequence[object], cwd: Path | None = None, preexec_fn: Callable[[], object] | None = None
    ) -> Ended:
        ended = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=environment,
            cwd=cwd,
            preexec_fn=preexec_fn,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def deflow_process(run_python: Callable[..., Ended], tmp_path: Path) -> Callable[..., Ended]:
    """The command as a user runs it, in ``tmp_path``."""

    def run(*arguments: object, preexec_fn: Callable[[], object] | None = None) -> Ended:
        return run_python(["-m", "flowkit_deflow", *arguments], tmp_path, preexec_fn)

    return run
