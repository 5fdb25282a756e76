import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.smoothing import high_pass_residual, smooth_reference
from tests.flowkit_deflow.evaluation.residuals import SIDE, white_noise


def test_high_pass_keeps_the_documented_part_of_white_noise() -> None:
    noisy = 0.5 + 0.05 * white_noise(3, SIDE, SIDE)
    kept = high_pass_residual(noisy)
    assert float(kept.std()) / 0.05 == pytest.approx(0.945, abs=0.01)
    torch.testing.assert_close(kept + smooth_reference(noisy), noisy)


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 4, 30), (3, 40, 3)])
def test_smoothing_mirrors_the_border_of_images_of_any_size(shape: tuple[int, int, int]) -> None:
    image = white_noise(*shape)
    mirrored = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (12, 12), (12, 12)), mode="symmetric"))
    torch.testing.assert_close(
        smooth_reference(image), smooth_reference(mirrored)[:, 12:-12, 12:-12], rtol=0, atol=1e-12
    )
