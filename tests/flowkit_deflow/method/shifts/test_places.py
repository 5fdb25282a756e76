import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit_deflow.method.shifts.places import brightness, contrast, interpolation_weights, quantile_centres, resized


def image(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def neighbours(grey: Tensor, row: int, column: int) -> Tensor:
    return grey[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
def test_brightness_and_contrast_place_by_place(size: tuple[int, int]) -> None:
    h = image(*size)
    for i, grey in enumerate(h.mean(1)):
        for row in range(size[0]):
            for column in range(size[1]):
                around = neighbours(grey, row, column)
                assert brightness(h)[i, 0, row, column].item() == pytest.approx(around.mean().item())
                log_std = 0.5 * math.log(around.var(correction=0).item() + 1e-4)
                assert contrast(h)[i, 0, row, column].item() == pytest.approx(log_std, abs=1e-9)


def test_weak_contrast_on_a_bright_ground_is_seen_in_single_precision() -> None:
    h = 0.9 + 0.002 * (image(16, 16) - 0.5)
    # Squares of 0.9 differ from one another by less than float32's last bit of them: 6e-8 of a variance of 3e-7.
    torch.testing.assert_close(contrast(h.float()).double(), contrast(h), atol=1e-5, rtol=0)


def test_features_of_h_in_half_precision_are_taken_in_float32() -> None:
    h = image(4, 4).to(torch.bfloat16)
    assert torch.equal(brightness(h), brightness(h.float()))
    assert torch.equal(contrast(h), contrast(h.float()))


class TestResized:
    def test_a_ramp_is_interpolated(self) -> None:
        ramp = torch.arange(4.0).expand(1, 1, 2, 4)
        # Each place covers two latents, a quarter of a place left and right of its centre.
        expected = torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]).expand(1, 1, 4, 8)
        torch.testing.assert_close(resized(ramp, (4, 8)), expected)

    def test_smaller_latents_get_the_mean(self) -> None:
        features = image(4, 6)
        blocks = features.unflatten(-1, (3, 2)).unflatten(-3, (2, 2)).mean((-3, -1))
        torch.testing.assert_close(resized(features, (2, 3)), blocks)

    def test_at_the_same_resolution_nothing_happens(self) -> None:
        features = image(3, 5)
        assert resized(features, (3, 5)) is features


class TestWeights:
    @settings(deadline=None)
    @given(
        values=st.lists(st.floats(-3, 3), min_size=1, max_size=6),
        centres=st.lists(st.floats(-2, 2), min_size=1, max_size=5),
    )
    def test_they_add_up_to_one_and_are_not_negative(self, values: list[float], centres: list[float]) -> None:
        # Centres may coincide, as quantiles of a data set with a large black border do.
        points = torch.tensor(sorted([*centres, centres[0]]), dtype=torch.float64)
        weights = interpolation_weights(torch.tensor(values, dtype=torch.float64)[None, None], points)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]), atol=1e-12, rtol=0)

    @settings(deadline=None)
    @given(value=st.floats(-2, 2), slope=st.floats(-3, 3))
    def test_a_linear_function_of_the_centres_is_met_between_them(self, value: float, slope: float) -> None:
        points = torch.tensor([-2.0, -0.5, 0.1, 2.0], dtype=torch.float64)
        weights = interpolation_weights(torch.tensor(value, dtype=torch.float64).reshape(1, 1, 1), points).flatten()
        assert (weights @ (slope * points + 1)).item() == pytest.approx(slope * value + 1, abs=1e-9)
        # At most two neighbours have a part in it.
        assert weights.count_nonzero() <= 2

    def test_beyond_the_last_centre_it_has_all_the_weight(self) -> None:
        weights = interpolation_weights(torch.tensor([[[-9.0, 9.0]]]), torch.tensor([0.0, 1.0, 2.0]))
        assert torch.equal(weights.squeeze(), torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))


def test_quantiles_share_the_places_out() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    centres = quantile_centres(values, 5)
    shares = [(values < centre).double().mean().item() for centre in centres]
    assert shares == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=2e-3)
    assert quantile_centres(torch.ones(3), 2).tolist() == [1.0, 1.0]
