"""The demo's data: what the camera does, and that nothing leaks between the sets."""

from pathlib import Path

import pytest
import torch

from flowkit_deflow.app.demo_data import HELD_OUT, NOISE_FLOOR, NOISE_GAIN, SQUARE, TRAINED_ON, camera, photograph
from flowkit_deflow.app.demo_data import write_photographs as write
from flowkit_deflow.images.image_files import list_images, read_image


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo data")
    write(folder, seed=0)
    return folder


@pytest.mark.parametrize("brightness", [0.2, 0.5, 0.8])
def test_the_noise_grows_with_brightness(brightness: float) -> None:
    grey = torch.full((3, 256, 256), brightness)
    residual = camera(grey, 0, "grey") - grey
    # JPEG takes a part of the finest noise away: up to a fifth of its deviation at this quality.
    assert residual.std().item() == pytest.approx(NOISE_FLOOR + NOISE_GAIN * brightness, rel=0.2)


def test_the_noise_is_correlated_between_neighbours() -> None:
    grey = torch.full((3, 256, 256), 0.5)
    residual = camera(grey, 0, "grey") - grey
    residual = residual - residual.mean()
    lag1 = (residual[..., 1:] * residual[..., :-1]).mean() / residual.var()
    # The filter (1, 2, 1) / 4 correlates neighbours by (1 * 2 + 2 * 1) / (1 + 4 + 1) = 2/3; JPEG changes that a little.
    assert lag1.item() == pytest.approx(2 / 3, abs=0.1)


def test_no_square_stands_in_both_domains_and_none_is_missing(data: Path) -> None:
    names = {domain: {path.name for path in list_images(data / domain)} for domain in ("clean", "degraded")}
    assert not names["clean"] & names["degraded"]
    for name in TRAINED_ON:
        height, width = photograph(name).shape[1:]
        squares = {other for group in names.values() for other in group if other.startswith(f"{name}_")}
        assert len(squares) == (height // SQUARE) * (width // SQUARE)


def test_clean_squares_are_the_photograph_and_degraded_ones_are_not(data: Path) -> None:
    astronaut = photograph("astronaut")
    assert torch.equal(read_image(data / "clean" / "astronaut_0_0.png"), astronaut[:, :SQUARE, :SQUARE])
    degraded = read_image(data / "degraded" / "astronaut_0_1.png")
    difference = (degraded - astronaut[:, :SQUARE, SQUARE : 2 * SQUARE]).abs().mean()
    assert 0.005 < difference < 0.1


def test_held_out_photographs_are_not_trained_on(data: Path) -> None:
    assert not set(HELD_OUT) & set(TRAINED_ON)
    trained = {path.name for domain in ("clean", "degraded") for path in list_images(data / domain)}
    assert not any(name.startswith(HELD_OUT) for name in trained)
    for kind in ("clean", "degraded"):
        assert {path.stem for path in list_images(data / "held_out" / kind)} == set(HELD_OUT)
