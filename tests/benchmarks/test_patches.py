"""The comparison of image flows: equal sizes, and a page that is made of the record."""

from pathlib import Path

import pytest
import torch

from benchmarks import record as records
from benchmarks.__main__ import main
from benchmarks.page import fill
from benchmarks.patches import table
from benchmarks.patches.models import MODELS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks/patches.md"


def test_the_models_have_about_as_many_parameters():
    for event in ((1, 8, 8), (3, 8, 8), (3, 32, 32)):
        made = [make(event, torch.randn(10, *event)) for make in MODELS.values()]
        sizes = [sum(parameter.numel() for parameter in density.module.parameters()) for density in made]
        assert max(sizes) < 1.25 * min(sizes)


def test_it_runs_and_fills_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page = tmp_path / "patches.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["patches", "--quick", "--out", str(tmp_path), "--page", str(page)]) == 0
    record = records.read(tmp_path / "patches.json")
    assert {entry["model"] for entry in record["results"]} == set(MODELS)
    # Uniform noise over 17 levels takes 4.09 bits; a start without training is worse, and finite.
    assert all(0 < bits < 20 for entry in record["results"] for bits in entry["bits"])
    text = page.read_text(encoding="utf-8")
    assert all(f"`{model}`" in text for model in MODELS)
    assert text == fill(text, table.sections(record))
