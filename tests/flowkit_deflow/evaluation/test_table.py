from pathlib import Path

import pytest
import torch

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.images.image_files import write_image


def test_the_table_is_aligned_and_in_grey_levels(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    lines = format_table(result).splitlines()
    assert max(map(len, lines)) <= 125
    assert all(line == line.rstrip() for line in lines)
    header = next(line for line in lines if "white Gaussian" in line)
    ends = [header.index(title) + len(title) for title in ("real", "generated", "white Gaussian", "vs real")]
    row = next(line for line in lines if line.startswith("std, channels together"))
    cells = [row[start:end].strip() for start, end in zip([22, *ends[:-2], ends[-1] - 17], ends, strict=True)]
    assert float(cells[0]) == pytest.approx(255 * result.values["real"]["overall_std"], abs=0.005)
    assert float(cells[1]) == pytest.approx(255 * result.values["generated"]["overall_std"], abs=0.005)
    assert cells[2] == cells[0]
    assert cells[3] == f"x {result.values['comparison']['overall_std_ratio']:.3f}"
    assert any(line.startswith("PSNR") for line in lines)


def test_the_table_dashes_what_was_not_measured(tmp_path: Path) -> None:
    write_image(tmp_path / "flat" / "a.png", torch.full((3, 12, 12), 0.2))
    write_image(tmp_path / "bright" / "b.png", torch.full((3, 12, 12), 0.8))
    text = format_table(evaluate(tmp_path / "flat", tmp_path / "bright"))
    assert "nan" not in text
    assert "smoothed" in text
    assert "PSNR" not in text
    row = next(line for line in text.splitlines() if line.startswith("autocorrelation, 1 right "))
    assert row.split()[-4:] == ["-", "-", "0.000", "-"]
