import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.patch_roughness import PatchRoughness
from tests.flowkit_deflow.evaluation.residuals import grey, white_noise


def of(*images: torch.Tensor) -> PatchRoughness:
    return measure([Pair(image, image) for image in images], [PatchRoughness])[PatchRoughness]


def test_white_noise_is_as_rough_as_its_high_pass() -> None:
    rough = of(grey(3, 256, 256) + 0.04 * white_noise(3, 256, 256))
    # The high-pass keeps 0.945 of white noise's deviation; the bins are 4.4% wide and are interpolated.
    assert rough.median == pytest.approx(0.945 * 0.04, rel=0.02)
    assert (np.diff(rough.quantiles) > 0).all()


def test_quantiles_are_over_the_patches_of_all_images() -> None:
    calm, rough = (grey(3, 256, 256) + std * white_noise(3, 256, 256) for std in (0.01, 0.08))
    quantiles = of(calm, rough).quantiles
    assert quantiles[1] == pytest.approx(0.945 * 0.01, rel=0.05)
    assert quantiles[3] == pytest.approx(0.945 * 0.08, rel=0.05)


def test_an_image_smaller_than_a_patch_has_no_roughness() -> None:
    assert np.isnan(of(grey(3, 15, 40)).quantiles).all()
