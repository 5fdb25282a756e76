import shutil
from pathlib import Path

import numpy as np
import pytest

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.metrics.psnr import psnr
from flowkit_deflow.evaluation.metrics.ssim import ssim
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.images.image_files import read_image, write_image
from tests.flowkit_deflow.evaluation.residuals import unclipped_photograph


def test_fidelity_averages_the_samples_of_each_clean_image(folder: Path) -> None:
    # A generated image whose clean image has no real partner is out of it.
    extra = unclipped_photograph("coffee")
    write_image(folder / "clean" / "coffee.png", extra)
    write_image(folder / "generated" / "coffee.png", extra.flip(1))
    (folder / "generated" / "astronaut_s1.png").unlink()
    fidelity = evaluate(folder / "generated", folder / "real", folder / "clean").values["fidelity"]
    assert fidelity["clean_images"] == 2

    def against_clean(kind: str, name: str) -> tuple[float, float]:
        clean = read_image(folder / "clean" / f"{name.split('_s')[0]}.png")
        image = read_image(folder / kind / f"{name}.png")
        return float(psnr(image[None], clean[None])), float(ssim(image[None], clean[None]))

    real = np.mean([against_clean("real", "astronaut"), against_clean("real", "cats/chelsea")], axis=0)
    cats = np.mean([against_clean("generated", f"cats/chelsea_s{i}") for i in range(2)], axis=0)
    generated = np.mean([against_clean("generated", "astronaut_s0"), cats], axis=0)
    assert (fidelity["real_psnr"], fidelity["real_ssim"]) == pytest.approx(tuple(real))
    assert (fidelity["generated_psnr"], fidelity["generated_ssim"]) == pytest.approx(tuple(generated))


def test_identical_images_are_counted_and_left_out_of_the_mean(folder: Path) -> None:
    before = evaluate(folder / "generated", folder / "real", folder / "clean").values["fidelity"]
    assert before["generated_identical_images"] == 0
    shutil.copy(folder / "clean" / "astronaut.png", folder / "generated" / "astronaut_s0.png")
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    fidelity = result.values["fidelity"]
    assert fidelity["generated_identical_images"] == 1
    clean = read_image(folder / "clean" / "astronaut.png")
    others = [
        float(psnr(read_image(path)[None], clean[None]))
        for path in sorted((folder / "generated").glob("astronaut_s[1-9].png"))
    ]
    cat = read_image(folder / "clean" / "cats" / "chelsea.png")
    cats = [
        float(psnr(read_image(path)[None], cat[None]))
        for path in sorted((folder / "generated" / "cats").glob("chelsea_s*.png"))
    ]
    assert fidelity["generated_psnr"] == pytest.approx(np.mean([np.mean(others), np.mean(cats)]))
    assert "identical to clean" in format_table(result)
