import math
from pathlib import Path

import pytest

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.images.image_files import write_image
from tests.flowkit_deflow.evaluation.residuals import noise_like, unclipped_photograph


@pytest.fixture
def sampled(tmp_path: Path) -> Path:
    """Two clean images, and four samples of each: a pattern of 0.03 that stays, and noise of 0.04 that does not."""
    for scene, name in enumerate(("astronaut", "chelsea")):
        image = unclipped_photograph(name)
        pattern = 0.03 * noise_like(image, scene)
        write_image(tmp_path / "clean" / f"{name}.png", image)
        write_image(tmp_path / "real" / f"{name}.png", image + pattern)
        for sample in range(4):
            noise = 0.04 * noise_like(image, 100 * (scene + 1) + sample)
            write_image(tmp_path / "generated" / f"{name}_s{sample}.png", image + pattern + noise)
    return tmp_path


def test_what_all_samples_have_in_common_is_told_from_noise(sampled: Path) -> None:
    result = evaluate(sampled / "generated", sampled / "real", sampled / "clean")
    # 73,728 values and 12 ordered pairs of samples: an error of 0.6%. Rounding adds nothing that samples share.
    assert result.values["generated"]["sample_mean_std"] == pytest.approx(0.03, rel=0.03)
    assert result.values["generated"]["sample_mean_share"] == pytest.approx(0.03**2 / (0.03**2 + 0.04**2), rel=0.05)
    assert "sample_mean_std" not in result.values["real"]


def test_the_estimate_does_not_depend_on_the_order_of_the_files_nor_on_their_number(sampled: Path) -> None:
    files = sorted((sampled / "generated").glob("*.png"), key=lambda path: path.stem[::-1])
    clean, real = sorted((sampled / "clean").glob("*")), sorted((sampled / "real").glob("*"))
    whole = evaluate(files, real, clean).values["generated"]
    in_order = evaluate(sampled / "generated", sampled / "real", sampled / "clean").values["generated"]
    assert whole["sample_mean_std"] == pytest.approx(in_order["sample_mean_std"], rel=1e-9)
    pairs = evaluate([path for path in files if path.stem[-1] in "01"], real, clean).values["generated"]
    assert pairs["sample_mean_std"] == pytest.approx(0.03, rel=0.05)


def test_independent_samples_have_nothing_in_common(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real", folder / "clean").values["generated"]
    # Noise of 0.02, one pair of samples with 73,728 values in all: 0.02 / 73728^(1/4) would be an error of 0.0012.
    assert result["sample_mean_std"] < 0.003
    assert math.isfinite(result["sample_mean_share"])
