"""``deflow degrade --ray`` on two processes of this machine; only where Ray is installed, as by ``tox run -e ray``."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowkit_deflow.images.image_files import list_images
from tests.flowkit_deflow.conftest import Command, Photos

ray = pytest.importorskip("ray", reason="Ray is an extra of its own: tox run -e ray")

PROCESSES = 2
OPTIONS = ("--samples", 2, "--tile", 32, "--seed", 3, "--device", "cpu")


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    ray.init("local", num_cpus=PROCESSES, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in list_images(folder)}


def done(folder: Path) -> dict[str, dict[str, Any]]:
    """The record of each image, without what differs from run to run."""
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    records = [line for line in lines if "done" in line]
    for record in records:
        for name in ("at", "seconds"):
            record.pop(name)
    return {record["source"]["path"]: record for record in records}


@pytest.fixture(scope="module")
def photographs(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, one of them in a sub-folder, one of them damaged."""
    folder = tmp_path_factory.mktemp("ray") / "photographs"
    shutil.copytree(photos.clean, folder)
    (folder / "broken.png").write_text("no image")
    return folder


def test_it_makes_what_one_process_makes_and_goes_on(
    deflow: Command, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    alone = deflow("degrade", model_folder, photographs, tmp_path / "alone", *OPTIONS)
    shared = deflow("degrade", model_folder, photographs, tmp_path / "shared", *OPTIONS, "--ray", "local")
    assert (alone.status, shared.status) == (3, 3)
    assert "broken.png" in shared.err
    assert "8 images done" in shared.out
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
    assert done(tmp_path / "shared") == done(tmp_path / "alone")

    # What is missing is made again, and nothing else.
    lost = tmp_path / "shared" / "coffee_0_s1.png"
    before = {path: path.stat().st_mtime_ns for path in list_images(tmp_path / "shared")}
    lost.unlink()
    again = deflow("degrade", model_folder, photographs, tmp_path / "shared", *OPTIONS, "--ray", "local")
    assert "1 image done, 7 were there already" in again.out
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
    changed = {path.name for path in before if path.stat().st_mtime_ns != before[path]}
    assert changed == {"coffee_0_s0.png", "coffee_0_s1.png"}

    # One process goes on with what a cluster has begun.
    lost.unlink()
    assert "1 image done" in deflow("degrade", model_folder, photographs, tmp_path / "shared", *OPTIONS).out
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
    weaker = (*OPTIONS, "--temperature", 0.5, "--ray", "local")
    other = deflow("degrade", model_folder, photographs, tmp_path / "shared", *weaker)
    assert other.status == 2
    assert "temperature was 1.0, is 0.5" in other.err


def test_a_mistake_of_a_process_is_told(deflow: Command, model_folder: Path, photographs: Path, tmp_path: Path) -> None:
    strict = deflow("degrade", model_folder, photographs, tmp_path / "out", "--ray", "local", "--strict")
    assert strict.status == 2
    # Ray's own log may complain before: its messages go to the terminal of the test before.
    last = strict.err.splitlines()[-1]
    assert last.startswith("deflow: cannot read the image")
    assert "broken.png" in last
