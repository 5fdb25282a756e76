from pathlib import Path

import torch

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.images.image_files import read_image, write_image
from tests.flowkit_deflow.evaluation.residuals import noise_like, unclipped_photograph


def test_similar_noise_gives_no_caution(folder: Path) -> None:
    assert evaluate(folder / "real", folder / "real", folder / "clean").cautions == ()


def test_rougher_and_smoother_patches_are_told_with_and_without_pairs(tmp_path: Path) -> None:
    image = unclipped_photograph("astronaut")
    for kind, std in (("weak", 0.02), ("strong", 0.06)):
        write_image(tmp_path / kind / "a.png", image + std * noise_like(image, 0))
    write_image(tmp_path / "clean" / "a.png", image)
    for clean in (None, tmp_path / "clean"):
        (rougher,) = evaluate(tmp_path / "strong", tmp_path / "weak", clean).cautions
        assert "times rougher" in rougher
        result = evaluate(tmp_path / "weak", tmp_path / "strong", clean)
        assert "times smoother" in result.cautions[0]
        assert f"Caution: {result.cautions[0]}" in " ".join(format_table(result).split())


def test_residuals_that_were_scaled_and_rounded_again_are_told(folder: Path) -> None:
    for path in (folder / "real").rglob("*.png"):
        clean = read_image(folder / "clean" / path.relative_to(folder / "real"))
        write_image(path, clean + 2 * (read_image(path) - clean))
    cautions = evaluate(folder / "real", folder / "real", folder / "clean").cautions
    assert any("real images never are" in caution and "rounded again" in caution for caution in cautions)


def test_one_constant_residual_is_no_comb(tmp_path: Path) -> None:
    for kind, value in (("clean", 0.4), ("real", 0.6)):
        write_image(tmp_path / kind / "a.png", torch.full((3, 32, 32), value))
    assert evaluate(tmp_path / "real", tmp_path / "real", tmp_path / "clean").cautions == ()
