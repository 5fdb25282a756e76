"""The measurement of memory: a whole command in a process of its own."""

from pathlib import Path

import torch

from benchmarks.memory import table
from benchmarks.memory.measured import Case, degrade
from benchmarks.memory.writing import writing
from benchmarks.page import fill
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.images.image_files import write_image

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "memory.md"
CASE = Case(24, 32, 2)


def test_a_command_is_measured_to_its_end(tmp_path: Path) -> None:
    WhiteNoise(0.1).save_pretrained(tmp_path / "model")
    write_image(tmp_path / "a.png", torch.rand(3, CASE.height, CASE.width))
    measured = degrade(tmp_path / "model", tmp_path / "a.png", CASE, tmp_path / "out", minutes=5)
    assert measured["share"] == 1
    # PyTorch alone takes a tenth of a gigabyte, and no such picture takes two.
    assert 0.1 < measured["peak"] < 2
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"a_s0.png", "a_s1.png"}


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    measured = degrade(tmp_path / "model", tmp_path / "a.png", CASE, tmp_path / "out", minutes=0)
    assert measured["share"] == 0
    assert not (tmp_path / "out").exists()


def test_versions_are_written_without_a_network(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", torch.rand(3, CASE.height, CASE.width))
    assert writing(str(tmp_path / "a.png"), "2")().written == 1


def test_the_page_has_a_place_for_the_table() -> None:
    record = {
        "command": "python -m benchmarks memory",
        "minutes": 20.0,
        "machine": "a machine",
        "threads": 1,
        "versions": {"torch": "2.13"},
        "cases": [
            {"height": 4000, "width": 6000, "samples": 12, "share": 0.25, "minutes": 5.0, "peak": 0.6},
            {"height": 1000, "width": 1500, "samples": 1, "share": 1.0, "minutes": 0.5, "peak": 0.55},
        ],
    }
    record["without_network"] = {"height": 4000, "width": 6000, "samples": 12, "ready": 0.25, "peak": 0.5}
    filled = fill(PAGE.read_text(encoding="utf-8"), table.sections(record))
    assert "| 6000 x 4000 (24 MP) | 12 | 0.60 GB | 25% | 5.0 |" in filled
    assert "| 1500 x 1000 (1.5 MP) | 1 | 0.55 GB | all of it | 0.5 |" in filled
    assert "had a peak of 0.50 GB, 0.25 of which PyTorch had at the start" in filled
