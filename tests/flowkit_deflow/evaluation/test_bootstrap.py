from pathlib import Path

import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.images.image_files import write_image

SIDE = 24
SCENES = 12


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real noise whose strength differs from scene to scene, and generated noise of the same strengths."""
    root = tmp_path_factory.mktemp("scenes")
    generator = torch.Generator().manual_seed(0)
    strengths = 0.02 * torch.exp(0.5 * torch.randn(SCENES, generator=generator))
    for scene, strength in enumerate(strengths.tolist()):
        clean = torch.full((3, SIDE, SIDE), 0.5)
        write_image(root / "clean" / f"{scene}.png", clean)
        for kind in ("real", "made"):
            noise = strength * torch.randn(clean.shape, generator=generator)
            write_image(root / kind / f"{scene}.png", clean + noise)
            write_image(root / f"other {kind}" / f"{kind}{scene}.png", clean + noise)
    return root


def test_the_interval_holds_the_figure_and_is_the_same_every_time(scenes: Path) -> None:
    result = evaluate(scenes / "made", scenes / "real", scenes / "clean")
    expected = {"overall_std_ratio", "lag1_difference", "kl_ratio", "conditional_kl_ratio", "per_image_kl"}
    assert expected <= result.intervals.keys()
    for key in ("overall_std_ratio", "lag1_difference", "high_pass_gain_difference"):
        low, high = result.intervals[key]
        if not np.isnan(low):
            assert low < result.values["comparison"][key] < high
    assert evaluate(scenes / "made", scenes / "real", scenes / "clean").intervals == result.intervals


def test_scenes_of_both_sets_are_drawn_together(scenes: Path) -> None:
    low, high = evaluate(scenes / "made", scenes / "real", scenes / "clean").intervals["overall_std_ratio"]
    low_apart, high_apart = evaluate(scenes / "other made", scenes / "other real").intervals["overall_std_ratio"]
    # The strengths of the scenes, which differ by a factor of several, cancel where the scenes are the same: what is
    # left is the error of 1,728 values a scene, under 2% of the ratio. Drawn apart, twelve strengths of spread 0.5 have
    # an error of 10% and more on each side.
    assert high - low < 0.06
    assert high_apart - low_apart > 0.2


def test_four_images_have_no_interval(scenes: Path) -> None:
    made, real = (sorted((scenes / kind).glob("*.png"))[:4] for kind in ("made", "real"))
    assert evaluate(made, real, scenes / "clean").intervals == {}
