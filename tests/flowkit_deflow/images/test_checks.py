from typing import Any

import pytest
import torch

from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.images.checks import require_images, require_pixels, require_temperature
from tests.flowkit_deflow.networks import TINY, perturbed

IMAGES = torch.rand(1, 3, 8, 8)
WRONG: list[tuple[Any, type[Exception], str]] = [
    (IMAGES.numpy(), TypeError, "numpy.ndarray; make one by torch.from_numpy"),
    (IMAGES[0], ValueError, r"give images\[None\]"),
    (IMAGES[:, :1], ValueError, "B x 3 x H x W"),
    (IMAGES * 255, ValueError, "divide bytes by 255"),
    (IMAGES * 2 - 1, ValueError, r"map \[-1, 1\] to \[0, 1\]"),
    ((IMAGES * 255).to(torch.uint8), ValueError, "divide bytes by 255"),
    ((IMAGES * 255).int(), ValueError, "torch.int32"),
]
IMAGES[0, 0, 0, :2] = torch.tensor([0.0, 1.0])


@pytest.mark.parametrize(("images", "kind", "named"), WRONG)
def test_each_mistake_has_its_message(images: Any, kind: type[Exception], named: str) -> None:
    for degrader in (perturbed(TINY), WhiteNoise(0.1)):
        with pytest.raises(kind, match=named):
            degrader.degrade(images)


def test_overshoot_of_filters_and_bytes_pass() -> None:
    require_images(IMAGES * 1.2 - 0.1)
    require_images(IMAGES[:0])
    require_pixels((IMAGES * 255).to(torch.uint8))


@pytest.mark.parametrize("temperature", [float("nan"), -0.1, float("inf")])
def test_temperatures_that_make_no_sense(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature is"):
        require_temperature(temperature)
    model = perturbed(TINY)
    for method in (model.degrade, model.restore, WhiteNoise(0.1).degrade):
        with pytest.raises(ValueError, match="temperature is"):
            method(IMAGES, temperature)
