import math

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from flowkit_deflow.evaluation.statistics import (
    FREQUENCIES,
    RESIDUAL_BINS,
    RESIDUAL_CENTRES,
    ResidualAccumulator,
    ResidualStatistics,
    conditional_kl,
    high_pass_residual,
    kl_divergence,
    psnr,
    shared_brightness_bins,
    smooth_reference,
    ssim,
    white_gaussian_histogram,
    white_gaussian_joint_histogram,
    white_gaussian_kl,
)

SIDE = 256
# 3 * 256^2 values: estimates of correlations have a standard error of 1 / sqrt(196608) = 0.0023.
CORRELATION_ERROR = 5 * 0.0023


def white_noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def laplace_noise(*shape: int) -> Tensor:
    uniform = torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5
    # Variance 1: a Laplace distribution of scale b has variance 2 b^2.
    return -uniform.sign() * (1 - 2 * uniform.abs()).log() / math.sqrt(2)


def grey(*shape: int) -> Tensor:
    return torch.full(shape, 0.5, dtype=torch.float64)


def measured(*residuals: Tensor) -> ResidualStatistics:
    accumulator = ResidualAccumulator()
    for residual in residuals:
        accumulator.add(grey(*residual.shape) + residual, grey(*residual.shape))
    return accumulator.result()


def photograph(name: str) -> Tensor:
    return torch.from_numpy(getattr(skimage.data, name)().copy()).permute(2, 0, 1) / 255


def gaussian_counts(mean: float, std: float) -> np.ndarray:
    edges = torch.from_numpy(np.append(RESIDUAL_CENTRES - 0.5 / 255, RESIDUAL_CENTRES[-1] + 0.5 / 255))
    return 1e6 * torch.erf((edges - mean) / (std * math.sqrt(2))).diff().numpy() / 2


def test_white_noise_has_its_mean_std_and_nothing_else() -> None:
    scale = torch.tensor([0.02, 0.03, 0.05], dtype=torch.float64)[:, None, None]
    result = measured(0.01 + scale * white_noise(3, SIDE, SIDE))
    # Standard errors over 65536 pixels: std / 256 of the mean, std / 362 of the standard deviation; 5 of them.
    np.testing.assert_allclose(result.mean, 0.01, atol=5 * 0.05 / 256)
    np.testing.assert_allclose(result.std, [0.02, 0.03, 0.05], rtol=5 / 362)
    assert result.overall_std == pytest.approx(math.sqrt((4 + 9 + 25) * 1e-4 / 3), rel=5 / 362)
    # Channels weigh by their variance, so fewer values count: the error is up to sqrt(3) times the usual.
    others = result.autocorrelation.ravel()[1:]
    np.testing.assert_allclose(others, 0, atol=math.sqrt(3) * CORRELATION_ERROR)
    assert result.autocorrelation[0, 0] == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(result.correlation, np.eye(3), atol=math.sqrt(3) * CORRELATION_ERROR)


def test_spectrum_of_white_noise_is_flat_at_the_variance() -> None:
    result = measured(*(0.04 * white_noise(3, SIDE, SIDE, seed=seed) for seed in range(4)))
    # 192 patches: the lowest bin holds one frequency (error 1 / sqrt(192) = 7%), the others eight or more.
    np.testing.assert_allclose(result.spectrum[0], 0.04**2, rtol=0.3)
    np.testing.assert_allclose(result.spectrum[1:], 0.04**2, rtol=0.12)
    assert result.spectrum.mean() == pytest.approx(0.04**2, rel=0.02)


@pytest.mark.parametrize("side", [16, 40, 64, 100])
def test_spectrum_of_a_wave_is_its_variance_at_its_frequency(side: int) -> None:
    columns = torch.arange(side, dtype=torch.float64)
    result = measured(0.1 * torch.cos(2 * math.pi * 0.25 * columns).expand(3, side, side))
    measured_bins = np.isfinite(result.spectrum)
    assert abs(FREQUENCIES[np.nanargmax(result.spectrum)] - 0.25) < 1.5 / min(side, 64)
    # A Hann window leaks to the next frequencies but one at most; a quarter of the band away there is nothing.
    far = measured_bins & (np.abs(FREQUENCIES - 0.25) > 4 / min(side, 64))
    assert result.spectrum[far].max(initial=0) < 1e-6 * np.nanmax(result.spectrum)


def test_the_mean_over_all_frequencies_is_the_variance() -> None:
    # A single peaked pixel in every patch has the same power at every frequency: the bins must show it exactly.
    residual = torch.zeros(3, 128, 128, dtype=torch.float64)
    residual[:, 32::64, 32::64] = 0.5
    centred = residual - residual.mean()
    result = measured(residual)
    window = torch.outer(*(torch.hann_window(64, dtype=torch.float64),) * 2)
    expected = (centred[0, :64, :64] * window).square().sum() / window.square().sum()
    np.testing.assert_allclose(result.spectrum[8:], float(expected), rtol=0.05)


def test_an_image_under_16_pixels_counts_in_everything_but_the_spectrum() -> None:
    large, small = 0.04 * white_noise(3, 64, 64), 0.04 * white_noise(3, 15, 40, seed=1)
    both, alone = measured(large, small), measured(large)
    np.testing.assert_array_equal(both.spectrum, alone.spectrum)
    assert both.pixels == alone.pixels + 15 * 40
    assert np.isnan(measured(small).spectrum).all()


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_blurred_noise_has_the_known_neighbour_correlation(weight: float) -> None:
    noise = white_noise(3, SIDE, SIDE + 1)
    result = measured(0.04 * (noise[..., 1:] + weight * noise[..., :-1]))
    known = weight / (1 + weight**2)
    assert result.autocorrelation[0, 1] == pytest.approx(known, abs=CORRELATION_ERROR)
    # The sums' own correlation widens the errors of the others, by less than 2.
    assert result.autocorrelation[1, 0] == pytest.approx(0, abs=2 * CORRELATION_ERROR)
    assert result.autocorrelation[0, 2] == pytest.approx(0, abs=2 * CORRELATION_ERROR)
    assert result.lag1 == pytest.approx(known / 2, abs=2 * CORRELATION_ERROR)
    cosine = np.cos(2 * np.pi * FREQUENCIES)
    # Along one axis the power is s^2 (1 + w^2 + 2 w cos); a ring's mean lies between that and the white axis's.
    white, along = 0.04**2 * (1 + weight) ** 2, 0.04**2 * (1 + weight**2 + 2 * weight * cosine)
    assert (result.spectrum[4:] < 1.15 * white).all()
    assert (result.spectrum[4:] > 0.85 * along[4:]).all()


@pytest.mark.parametrize("shape", [(3, 20, 31), (3, 5, 12), (3, 1, 1)])
def test_autocorrelation_is_the_direct_sum(shape: tuple[int, int, int]) -> None:
    residuals = [0.1 * white_noise(*shape), 0.1 * white_noise(shape[0], shape[2], shape[1], seed=1)]
    result = measured(*residuals)
    direct = np.full((9, 9), np.nan)
    for dy in range(9):
        for dx in range(9):
            total, count = 0.0, 0
            for residual in residuals:
                r = (residual - residual.mean((1, 2), keepdim=True)).numpy()
                if dy < r.shape[1] and dx < r.shape[2]:
                    products = r[:, dy:, dx:] * r[:, : r.shape[1] - dy, : r.shape[2] - dx]
                    total, count = total + products.sum(), count + products.size
            if count:
                direct[dy, dx] = total / count
    if shape == (3, 1, 1):
        assert np.isnan(result.autocorrelation).all()
    else:
        np.testing.assert_allclose(result.autocorrelation, direct / direct[0, 0], atol=1e-10)


def test_channels_that_share_noise_are_correlated() -> None:
    shared, own = white_noise(1, SIDE, SIDE), white_noise(3, SIDE, SIDE, seed=1)
    result = measured(0.03 * (shared + own))
    expected = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    np.testing.assert_allclose(result.correlation, expected, atol=math.sqrt(3) * CORRELATION_ERROR)


def test_noise_that_grows_with_brightness_is_seen_in_the_bins() -> None:
    reference = torch.linspace(0, 1, 16 * 4096, dtype=torch.float64).view(1, 256, 256).expand(3, -1, -1)
    slope = 0.08
    accumulator = ResidualAccumulator()
    accumulator.add(reference + slope * reference * white_noise(3, 256, 256), reference)
    result = accumulator.result()
    edges = np.linspace(0, 1, 17)
    # The mean of (slope b)^2 over a bin from a to b is slope^2 (a^2 + a b + b^2) / 3.
    expected = slope * np.sqrt((edges[1:] ** 2 + edges[1:] * edges[:-1] + edges[:-1] ** 2) / 3)
    # 12288 values a bin: an error of 0.7%, in the first bin (very unequal variances) more.
    np.testing.assert_allclose(result.brightness_std, expected, rtol=0.04)
    np.testing.assert_allclose(result.brightness_pixels, 4096, atol=1)
    white_given = conditional_kl(
        result.joint_histogram, white_gaussian_joint_histogram(result), result.brightness_pixels > 0
    )
    # Brightness tells much more than the pooled histogram does.
    assert white_given > 2 * white_gaussian_kl(result) > 0


def test_streaming_equals_one_computation_over_all_pixels() -> None:
    rng = torch.Generator().manual_seed(0)
    images = [photograph("chelsea")[:, :100, :120], photograph("coffee")[:, 50:90, :70]]
    noisy = [(x + 0.05 * torch.randn(x.shape, generator=rng)).clamp(0, 1) for x in images]
    accumulator = ResidualAccumulator()
    for degraded, reference in zip(noisy, images, strict=True):
        accumulator.add(degraded, reference)
    result = accumulator.result()
    residual = np.concatenate([(d.double() - x).flatten(1).numpy() for d, x in zip(noisy, images, strict=True)], 1)
    brightness = np.concatenate([x.double().mean(0).flatten().numpy() for x in images])
    np.testing.assert_allclose(result.mean, residual.mean(1), atol=1e-12)
    np.testing.assert_allclose(result.std, residual.std(1), rtol=1e-10)
    np.testing.assert_allclose(result.correlation, np.corrcoef(residual), atol=1e-10)
    assert (result.images, result.pixels) == (2, 100 * 120 + 40 * 70)
    for index in range(16):
        inside = np.minimum((16 * brightness).astype(int), 15) == index
        assert result.brightness_pixels[index] == inside.sum()
        if inside.any():
            expected = np.sqrt(residual[:, inside].var(1).mean())
            assert result.brightness_std[index] == pytest.approx(expected, rel=1e-7, abs=1e-9)
        else:
            assert math.isnan(result.brightness_std[index])
    edges = np.append(RESIDUAL_CENTRES - 0.5 / 255, 0.5)
    for channel in range(3):
        counts, _ = np.histogram(residual[channel].clip(-0.5, 0.5), edges)
        np.testing.assert_array_equal(result.histogram[channel], counts)


def test_a_result_does_not_change_when_more_is_added() -> None:
    accumulator = ResidualAccumulator()
    accumulator.add(grey(3, 16, 16) + 0.1, grey(3, 16, 16))
    before = accumulator.result()
    histogram, pixels = before.histogram.copy(), before.brightness_pixels.copy()
    accumulator.add(grey(3, 16, 16) - 0.1, grey(3, 16, 16))
    np.testing.assert_array_equal(before.histogram, histogram)
    np.testing.assert_array_equal(before.brightness_pixels, pixels)
    assert accumulator.result().mean[0] == pytest.approx(0, abs=1e-12)


def test_eight_bit_residuals_fall_into_the_middle_of_their_bins() -> None:
    levels = torch.arange(256, dtype=torch.float32)
    degraded, reference = (x.expand(3, 256, 256) / 255 for x in (levels, levels[:, None]))
    accumulator = ResidualAccumulator()
    accumulator.add(degraded.contiguous(), reference.contiguous())
    histogram = accumulator.result().histogram[0]
    # A difference of d grey levels occurs for 256 - |d| pairs; the end bins take all beyond as well.
    expected = 256 - np.abs(np.arange(RESIDUAL_BINS) - 127)
    assert histogram.sum() == 256 * 256
    np.testing.assert_array_equal(histogram[1:-1], expected[1:-1])
    assert histogram[0] == histogram[-1] == sum(range(1, 130))


@pytest.mark.parametrize(
    ("degraded", "reference", "message"),
    [
        (torch.zeros(3, 4, 4), torch.zeros(3, 4, 5), r"\(3, 4, 4\) and \(3, 4, 5\)"),
        (torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), r"3 x H x W"),
        (torch.zeros(3, 0, 4), torch.zeros(3, 0, 4), r"no pixels"),
        (torch.full((3, 4, 4), math.nan), torch.zeros(3, 4, 4), r"finite"),
    ],
)
def test_what_is_no_residual_is_refused(degraded: Tensor, reference: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidualAccumulator().add(degraded, reference)


def test_nothing_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="no image"):
        ResidualAccumulator().result()


COUNTS = hnp.arrays(np.float64, (3, 12), elements=st.integers(0, 1000).map(float)).filter(
    lambda counts: bool((counts.sum(1) > 0).all())
)


@settings(deadline=None)
@given(COUNTS, COUNTS, st.floats(0.01, 1000))
def test_kl_is_positive_zero_for_equals_and_blind_to_the_number_of_pixels(
    p: np.ndarray, q: np.ndarray, scale: float
) -> None:
    divergence = kl_divergence(p, q)
    # Rounding of sums of terms up to log(12 / 1e-6) = 16.
    assert -1e-12 < divergence < 16.4
    assert kl_divergence(p, p) == 0
    assert kl_divergence(scale * p, q) == pytest.approx(divergence, abs=1e-9)


@pytest.mark.parametrize(("shift", "ratio"), [(0.02, 1.0), (0.0, 1.5), (-0.01, 0.7)])
def test_kl_of_two_gaussians_is_the_known_one(shift: float, ratio: float) -> None:
    std = 0.05
    p, q = gaussian_counts(0, std), gaussian_counts(shift, ratio * std)
    known = math.log(ratio) + (1 + (shift / std) ** 2) / (2 * ratio**2) - 0.5
    # Bins of 1/255 hide (1/255)^2 / 12 of variance, 0.05%, and the smoothing bounds the far tails.
    assert kl_divergence(p, q) == pytest.approx(known, rel=0.01)


def test_kl_of_samples_is_close_to_the_known_one() -> None:
    p, q = (measured(std * white_noise(3, SIDE, SIDE, seed=i)) for i, std in enumerate((0.04, 0.05)))
    known = math.log(1.25) + 0.5 / 1.25**2 - 0.5
    # About 100 occupied bins of 65536 pixels: a bias of 0.0015.
    assert kl_divergence(p.histogram, q.histogram) == pytest.approx(known, abs=0.004)


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (np.ones(3), np.ones(4), "both be"),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), "both be"),
        (np.zeros(3), np.ones(3), "p_counts"),
        (np.ones(3), np.array([1.0, -1.0, 1.0]), "q_counts"),
    ],
)
def test_kl_refuses_what_is_no_histogram(p: np.ndarray, q: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kl_divergence(p, q)


def test_white_gaussian_fits_gaussian_noise_and_misfits_laplace_noise() -> None:
    gaussian = measured(0.03 * white_noise(3, SIDE, SIDE))
    laplace = measured(0.03 * laplace_noise(3, SIDE, SIDE))
    np.testing.assert_allclose(white_gaussian_histogram(gaussian).sum(1), SIDE**2, rtol=1e-12)
    # About 60 occupied bins: sampling leaves 60 / (2 * 65536) = 0.0005.
    assert white_gaussian_kl(gaussian) < 0.002
    # Entropies in nats at variance s^2: Gaussian log(s sqrt(2 pi e)), Laplace 1 + log(s sqrt 2).
    known = 0.5 * math.log(2 * math.pi * math.e) - 1 - 0.5 * math.log(2)
    assert white_gaussian_kl(laplace) == pytest.approx(known, rel=0.1)


def test_white_gaussian_of_a_constant_residual_is_one_bin() -> None:
    result = measured(torch.full((3, 16, 16), 10 / 255, dtype=torch.float64))
    expected = np.zeros((3, RESIDUAL_BINS))
    expected[:, 127 + 10] = 256
    np.testing.assert_allclose(white_gaussian_histogram(result), expected, atol=1e-9)
    assert white_gaussian_kl(result) == pytest.approx(0, abs=1e-9)
    # Rounding must not pass for noise: nothing is correlated with itself here.
    assert result.overall_std == 0
    assert result.brightness_std[8] == 0
    assert np.isnan(result.correlation).all()
    assert np.isnan(result.autocorrelation).all()


def test_conditional_kl_sees_what_the_pooled_histogram_hides() -> None:
    reference = torch.linspace(0.2, 0.8, 256, dtype=torch.float64).expand(3, 256, 256)
    noise = white_noise(3, 256, 256)
    rising, falling = ResidualAccumulator(), ResidualAccumulator()
    rising.add(reference + 0.06 * reference * noise, reference)
    falling.add(reference + 0.06 * (1 - reference) * noise.flip(1), reference)
    p, q = rising.result(), falling.result()
    bins = shared_brightness_bins(p, q)
    assert kl_divergence(p.histogram, q.histogram) < 0.01
    assert conditional_kl(p.joint_histogram, q.joint_histogram, bins) > 0.2
    assert conditional_kl(p.joint_histogram, p.joint_histogram, bins) == 0


def test_conditional_kl_is_the_weighted_mean_over_the_bins_asked_for() -> None:
    p = np.array([[[30.0, 10.0], [5.0, 5.0], [1.0, 0.0]]])
    q = np.array([[[1.0, 1.0], [1.0, 3.0], [0.0, 0.0]]])
    expected = 0.8 * kl_divergence(p[0, 0], q[0, 0]) + 0.2 * kl_divergence(p[0, 1], q[0, 1])
    assert conditional_kl(p, q, np.array([True, True, False])) == pytest.approx(expected, rel=1e-12)
    assert math.isnan(conditional_kl(p, q, np.zeros(3, dtype=bool)))
    with pytest.raises(ValueError, match="no pixels"):
        conditional_kl(p, q, np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="shapes"):
        conditional_kl(p, q, np.ones(2, dtype=bool))


def test_brightness_is_shared_where_both_sets_have_enough_pixels() -> None:
    first, second = ResidualAccumulator(), ResidualAccumulator()
    first.add(torch.full((3, 20, 20), 0.5), torch.full((3, 20, 20), 0.5))
    second.add(torch.full((3, 20, 20), 0.5), torch.full((3, 20, 20), 0.5))
    second.add(torch.full((3, 20, 20), 0.1), torch.full((3, 20, 20), 0.1))
    first.add(torch.full((3, 9, 11), 0.1), torch.full((3, 9, 11), 0.1))
    assert np.flatnonzero(shared_brightness_bins(first.result(), second.result())).tolist() == [8]


def test_real_photographs_with_noise_give_the_noise_back() -> None:
    accumulator = ResidualAccumulator()
    for seed, name in enumerate(("astronaut", "chelsea")):
        image = photograph(name).double()[:, :256, :256] * 0.6 + 0.2
        noisy = ((image + 0.03 * white_noise(*image.shape, seed=seed)) * 255).round() / 255
        accumulator.add(noisy, (image * 255).round() / 255)
    result = accumulator.result()
    # Rounding both images to 8 bits adds 2 / 12 of a squared grey level.
    np.testing.assert_allclose(result.std, math.sqrt(0.03**2 + 2 / 12 / 255**2), rtol=0.015)
    assert result.lag1 == pytest.approx(0, abs=CORRELATION_ERROR)
    assert white_gaussian_kl(result) < 0.002


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


def test_psnr_and_ssim_of_a_photograph_with_noise() -> None:
    image = photograph("coffee")[:, :200, :200] * 0.5 + 0.25
    slight, strong = (image + std * white_noise(*image.shape).float() for std in (0.01, 0.05))
    # 120000 values: the standard error of the mean square is 0.4%, 0.018 dB.
    assert psnr(slight, image) == pytest.approx(40.0, abs=0.1)
    assert psnr(image, image) == math.inf
    assert ssim(image, image) == pytest.approx(1.0, abs=1e-6)
    assert 0 < ssim(strong, image) < ssim(slight, image) < 1


def test_ssim_refuses_images_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match="at least 11"):
        ssim(torch.zeros(3, 10, 30), torch.zeros(3, 10, 30))
