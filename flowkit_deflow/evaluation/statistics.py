"""How the noise of photographs looks in numbers: spread, shape, grain and colour of residuals.

A residual is r = degraded - reference, in units of the image range [0, 1]; 1/255 is one 8-bit grey level. Two
sets of residuals (of real and of generated degradations) are compared through these numbers alone, so the two
sets need not show the same scenes.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

__all__ = [
    "BRIGHTNESS_BINS",
    "BRIGHTNESS_CENTRES",
    "FREQUENCIES",
    "MAX_LAG",
    "MINIMUM_BIN_PIXELS",
    "RESIDUAL_BINS",
    "RESIDUAL_CENTRES",
    "SMALLEST_SSIM_SIDE",
    "ResidualAccumulator",
    "ResidualStatistics",
    "conditional_kl",
    "high_pass_residual",
    "kl_divergence",
    "psnr",
    "shared_brightness_bins",
    "smooth_reference",
    "ssim",
    "white_gaussian_histogram",
    "white_gaussian_joint_histogram",
    "white_gaussian_kl",
]

Array = NDArray[np.float64]

CHANNELS = 3
BRIGHTNESS_BINS = 16
# Residuals of 8-bit images are multiples of 1/255. Bins centred on those multiples hold exactly one of them
# each, so quantisation makes no comb; 255 such bins cover [-0.5, 0.5] exactly.
RESIDUAL_BINS = 255
MAX_LAG = 8
SPECTRUM_BINS = 32
PATCH = 64
SMALLEST_PATCH = 16
SMOOTHING_MASS = 1e-6
MINIMUM_BIN_PIXELS = 100
HIGH_PASS_SIGMA = 1.5
SMALLEST_SSIM_SIDE = 11

BRIGHTNESS_CENTRES: Array = (np.arange(BRIGHTNESS_BINS) + 0.5) / BRIGHTNESS_BINS
RESIDUAL_CENTRES: Array = (np.arange(RESIDUAL_BINS) - RESIDUAL_BINS // 2) / 255.0
FREQUENCIES: Array = (np.arange(SPECTRUM_BINS) + 0.5) / (2 * SPECTRUM_BINS)


@dataclass(frozen=True, eq=False)
class ResidualStatistics:
    """The statistics of a set of residuals r = degraded - reference.

    Attributes:
        images: number of images.
        pixels: number of pixels (not multiplied by the channels).
        mean: shape (3,), mean of r in each channel over all pixels, in [0, 1] units.
        std: shape (3,), standard deviation of r in each channel over all pixels, in [0, 1] units.
        brightness_pixels: shape (16,), pixels whose reference brightness (mean over the channels) lies in each
            of the 16 equal bins of [0, 1]; values outside count in the end bins.
        brightness_std: shape (16,), square root of the mean over the channels of the variance of r within a
            bin, in [0, 1] units; NaN for bins without pixels.
        autocorrelation: shape (9, 9), entry (dy, dx) is the mean of r(y, x) r(y + dy, x + dx) over positions
            and channels, each image and channel less its own mean, divided by entry (0, 0); NaN for lags that
            no image is large enough for, and everywhere if the residuals are constant.
        correlation: shape (3, 3), correlation of the channels of r at the same pixel; NaN where a channel's
            residual is constant.
        spectrum: shape (32,), radially averaged power at `FREQUENCIES` (0 to 0.5 cycles per pixel), in squared
            [0, 1] units. The mean over all frequencies of the plane is the variance, so white noise is flat at
            its variance. From Hann-windowed 64 x 64 patches side by side (smaller ones in an image whose
            shorter side is 16 to 63); images with a side under 16 are left out; NaN where nothing was measured.
        joint_histogram: shape (3, 16, 255), pixel counts over channel, reference brightness, and residual.
            Bin k covers ((k - 127) - 0.5) / 255 to ((k - 127) + 0.5) / 255; residuals beyond +-0.5 count in the
            end bins.
    """

    images: int
    pixels: int
    mean: Array
    std: Array
    brightness_pixels: Array
    brightness_std: Array
    autocorrelation: Array
    correlation: Array
    spectrum: Array
    joint_histogram: Array

    @property
    def overall_std(self) -> float:
        """Square root of the mean over the channels of the variance, in [0, 1] units."""
        return float(np.sqrt(np.mean(self.std**2)))

    @property
    def lag1(self) -> float:
        """Autocorrelation of direct neighbours: the mean of lags (0, 1) and (1, 0); 0 for white noise."""
        return float((self.autocorrelation[0, 1] + self.autocorrelation[1, 0]) / 2)

    @property
    def histogram(self) -> Array:
        """Shape (3, 255): pixel counts over channel and residual."""
        return np.asarray(self.joint_histogram.sum(axis=1), dtype=np.float64)


class ResidualAccumulator:
    """Collects `ResidualStatistics` image by image; its memory does not grow with the number of images.

    Examples:
        >>> reference = torch.full((3, 32, 32), 0.5)
        >>> accumulator = ResidualAccumulator()
        >>> accumulator.add(reference + 2 / 255, reference)
        >>> statistics = accumulator.result()
        >>> [round(255 * float(mean), 3) for mean in statistics.mean]
        [2.0, 2.0, 2.0]
        >>> int(statistics.brightness_pixels[8]), statistics.pixels
        (1024, 1024)
    """

    def __init__(self) -> None:
        self._images = 0
        self._pixels = 0
        self._sum = torch.zeros(CHANNELS, dtype=torch.float64)
        self._products = torch.zeros(CHANNELS, CHANNELS, dtype=torch.float64)
        self._bin_pixels = torch.zeros(BRIGHTNESS_BINS, dtype=torch.float64)
        self._bin_sum = torch.zeros(CHANNELS, BRIGHTNESS_BINS, dtype=torch.float64)
        self._bin_squares = torch.zeros(CHANNELS, BRIGHTNESS_BINS, dtype=torch.float64)
        self._joint = torch.zeros(CHANNELS, BRIGHTNESS_BINS, RESIDUAL_BINS, dtype=torch.float64)
        self._lag_products = torch.zeros(MAX_LAG + 1, MAX_LAG + 1, dtype=torch.float64)
        self._lag_counts = torch.zeros(MAX_LAG + 1, MAX_LAG + 1, dtype=torch.float64)
        self._power = torch.zeros(SPECTRUM_BINS, dtype=torch.float64)
        self._power_counts = torch.zeros(SPECTRUM_BINS, dtype=torch.float64)

    def add(self, degraded: Tensor, reference: Tensor) -> None:
        """Add the residual of one image.

        Args:
            degraded: 3 x H x W, in [0, 1].
            reference: 3 x H x W, in [0, 1], the same picture without the degradation.

        Raises:
            ValueError: the shapes differ or are not 3 x H x W with at least one pixel, or a value is not
                finite.
        """
        if degraded.shape != reference.shape or degraded.ndim != 3 or degraded.shape[0] != CHANNELS:
            shapes = f"{tuple(degraded.shape)} and {tuple(reference.shape)}"
            raise ValueError(f"degraded and reference must both be 3 x H x W, their shapes are {shapes}")
        if degraded.numel() == 0:
            raise ValueError(f"an image of shape {tuple(degraded.shape)} has no pixels")
        reference = reference.detach().to("cpu", torch.float64)
        residual = degraded.detach().to("cpu", torch.float64) - reference
        if not bool(residual.isfinite().all()):
            raise ValueError("degraded and reference must be finite: a value is NaN or infinite")
        self._images += 1
        self._pixels += residual[0].numel()
        self._add_moments(residual)
        self._add_brightness(residual, reference)
        centred = residual - residual.mean((1, 2), keepdim=True)
        self._add_autocovariance(centred)
        if min(centred.shape[1:]) >= SMALLEST_PATCH:
            self._add_spectrum(centred)

    def result(self) -> ResidualStatistics:
        """The statistics of everything added so far.

        Raises:
            ValueError: nothing was added.
        """
        if self._images == 0:
            raise ValueError("no image was added: statistics need at least one")
        mean = self._sum / self._pixels
        covariance = self._products / self._pixels - torch.outer(mean, mean)
        std = _without_rounding(covariance.diagonal(), self._products.diagonal() / self._pixels).sqrt()
        bin_mean, bin_square = self._bin_sum / self._bin_pixels, self._bin_squares / self._bin_pixels
        bin_variance = _without_rounding(bin_square - bin_mean.square(), bin_square)
        autocovariance = self._lag_products / self._lag_counts
        mean_square = self._products.diagonal().mean() / self._pixels
        variance = _without_rounding(autocovariance[0, 0], mean_square)
        scale = torch.outer(std, std)
        return ResidualStatistics(
            images=self._images,
            pixels=self._pixels,
            mean=mean.numpy(),
            std=std.numpy(),
            brightness_pixels=self._bin_pixels.clone().numpy(),
            brightness_std=bin_variance.mean(0).sqrt().numpy(),
            autocorrelation=torch.where(variance > 0, autocovariance / variance, math.nan).numpy(),
            correlation=torch.where(scale > 0, covariance / scale, math.nan).numpy(),
            spectrum=(self._power / self._power_counts).numpy(),
            joint_histogram=self._joint.clone().numpy(),
        )

    def _add_moments(self, residual: Tensor) -> None:
        flat = residual.flatten(1)
        self._sum += flat.sum(1)
        self._products += flat @ flat.T

    def _add_brightness(self, residual: Tensor, reference: Tensor) -> None:
        bins = (reference.mean(0) * BRIGHTNESS_BINS).long().clamp(0, BRIGHTNESS_BINS - 1).flatten()
        self._bin_pixels += torch.bincount(bins, minlength=BRIGHTNESS_BINS)
        for channel, values in enumerate(residual.flatten(1)):
            self._bin_sum[channel] += torch.bincount(bins, values, BRIGHTNESS_BINS)
            self._bin_squares[channel] += torch.bincount(bins, values.square(), BRIGHTNESS_BINS)
            level = ((values * 255).round().long() + RESIDUAL_BINS // 2).clamp(0, RESIDUAL_BINS - 1)
            counts = torch.bincount(bins * RESIDUAL_BINS + level, minlength=BRIGHTNESS_BINS * RESIDUAL_BINS)
            self._joint[channel] += counts.view(BRIGHTNESS_BINS, RESIDUAL_BINS)

    def _add_autocovariance(self, centred: Tensor) -> None:
        height, width = centred.shape[1:]
        # MAX_LAG zeros keep the cyclic correlation from wrapping; multiples of 64 keep the transform fast.
        shape = [-(-(side + MAX_LAG) // 64) * 64 for side in (height, width)]
        lags = torch.arange(MAX_LAG + 1, dtype=torch.float64)
        pairs = torch.outer((height - lags).clamp(min=0), (width - lags).clamp(min=0))
        self._lag_counts += CHANNELS * pairs
        for channel in centred:
            power = torch.fft.rfft2(channel, s=shape).abs().square()
            products = torch.fft.irfft2(power, s=shape)[: MAX_LAG + 1, : MAX_LAG + 1]
            # What the transform's rounding leaves at lags without pairs is not a measurement.
            self._lag_products += products * (pairs > 0)

    def _add_spectrum(self, centred: Tensor) -> None:
        size = min(PATCH, *centred.shape[1:])
        rows, columns = centred.shape[1] // size, centred.shape[2] // size
        hann = torch.hann_window(size, dtype=torch.float64)
        window = torch.outer(hann, hann)
        power = torch.zeros(size, size, dtype=torch.float64)
        for row in range(rows):
            strip = centred[:, row * size : (row + 1) * size, : columns * size]
            patches = strip.reshape(CHANNELS, size, columns, size).transpose(1, 2)
            power += torch.fft.fft2(patches * window).abs().square().sum((0, 1))
        # By Parseval's theorem this makes the mean over all frequencies the variance.
        power /= window.square().sum()
        frequency = torch.fft.fftfreq(size, dtype=torch.float64)
        radius = torch.hypot(frequency[:, None], frequency[None, :])
        measured = radius <= 0.5
        bins = (radius[measured] * 2 * SPECTRUM_BINS).long().clamp(max=SPECTRUM_BINS - 1)
        self._power += torch.bincount(bins, power[measured], SPECTRUM_BINS)
        self._power_counts += CHANNELS * rows * columns * torch.bincount(bins, minlength=SPECTRUM_BINS)


def _without_rounding(variance: Tensor, mean_square: Tensor) -> Tensor:
    # The variance of a constant comes out as a few rounding errors of its square, of either sign:
    # zero is meant. NaN, where there was nothing to measure, stays NaN.
    return torch.where(variance > 1e-12 * mean_square, variance, 0 * variance)


def _smoothed_kl(p_counts: Array, q_counts: Array) -> Array:
    bins = p_counts.shape[-1]
    p = (1 - SMOOTHING_MASS) * p_counts / p_counts.sum(-1, keepdims=True) + SMOOTHING_MASS / bins
    q = (1 - SMOOTHING_MASS) * q_counts / q_counts.sum(-1, keepdims=True) + SMOOTHING_MASS / bins
    return np.asarray((p * np.log(p / q)).sum(-1), dtype=np.float64)


def kl_divergence(p_counts: Array, q_counts: Array) -> float:
    """Kullback-Leibler divergence between two histograms over the same bins, in nats.

    KL(p || q) = sum_k p_k log(p_k / q_k), with p and q the histograms' shares mixed with a uniform share:
    p = (1 - e) counts / sum(counts) + e / K, e = 1e-6, K the number of bins. So a bin that q never saw costs
    a finite amount (a log-ratio of at most log(K / e), 19.4 for 255 bins). The mass is a share and not a
    count per bin, so that the same shapes give the same divergence however many pixels were counted; at
    e = 1e-6 it is below what a megapixel can resolve. Finite samples alone give about
    (occupied bins - 1) / 2 * (1 / sum(p_counts) + 1 / sum(q_counts)), and more where p reaches into bins that
    so few pixels of q left empty.

    Args:
        p_counts: shape (K,) or (C, K), at least zero, each row with a positive sum.
        q_counts: the same shape.

    Returns:
        The divergence, at least zero; with two dimensions, its mean over the rows (channels).

    Raises:
        ValueError: the shapes differ or have neither one nor two dimensions, or a row is empty or negative.

    Examples:
        >>> kl_divergence(np.array([1.0, 1.0]), np.array([10.0, 10.0]))
        0.0
        >>> round(kl_divergence(np.array([1.0, 1.0]), np.array([1.0, 3.0])), 3)
        0.144
    """
    if p_counts.shape != q_counts.shape or p_counts.ndim not in (1, 2):
        raise ValueError(f"histograms {p_counts.shape} and {q_counts.shape} must both be (K,) or both (C, K)")
    for name, counts in (("p_counts", p_counts), ("q_counts", q_counts)):
        if (counts < 0).any() or (counts.sum(-1) <= 0).any():
            raise ValueError(f"{name} must be at least zero, with a positive sum in every row")
    return float(_smoothed_kl(p_counts, q_counts).mean())


def shared_brightness_bins(real: ResidualStatistics, generated: ResidualStatistics) -> NDArray[np.bool_]:
    """The brightness bins in which both sets have enough pixels (100) for a histogram to mean something.

    Args:
        real: statistics of one set.
        generated: statistics of the other.

    Returns:
        Shape (16,), true where both have at least `MINIMUM_BIN_PIXELS` pixels.
    """
    fewest = np.minimum(real.brightness_pixels, generated.brightness_pixels)
    return np.asarray(fewest >= MINIMUM_BIN_PIXELS)


def conditional_kl(p_joint: Array, q_joint: Array, bins: NDArray[np.bool_]) -> float:
    """Divergence of residuals given the brightness: the mean of KL(p | bin || q | bin) over p's pixels.

    Photographs' noise depends on the brightness. Two sets can agree in the residuals of all pixels together
    and differ at each brightness; this number sees it, `kl_divergence` of the plain histograms does not.

    Args:
        p_joint: shape (C, B, K), pixel counts over channel, brightness and residual.
        q_joint: the same shape; normalised in each brightness bin, so its own brightnesses do not count.
        bins: shape (B,), the brightness bins to compare; see `shared_brightness_bins`.

    Returns:
        The divergence in nats, the mean over the channels; NaN if `bins` is true nowhere.

    Raises:
        ValueError: the shapes do not fit, or a bin to be compared is empty on a side.
    """
    if p_joint.shape != q_joint.shape or p_joint.ndim != 3 or bins.shape != p_joint.shape[1:2]:
        shapes = f"{p_joint.shape}, {q_joint.shape} and {bins.shape}"
        raise ValueError(f"expected joint histograms (C, B, K) twice and bins (B,), got the shapes {shapes}")
    if not bins.any():
        return math.nan
    p, q = p_joint[:, bins], q_joint[:, bins]
    weights = p.sum(-1)
    if (weights <= 0).any() or (q.sum(-1) <= 0).any():
        raise ValueError("a brightness bin to be compared has no pixels on one side")
    return float((weights * _smoothed_kl(p, q)).sum() / weights.sum())


def _white_gaussian_shares(statistics: ResidualStatistics) -> Array:
    mean = torch.from_numpy(statistics.mean)[:, None]
    # A constant residual is the limit of ever narrower Gaussians: all its mass in one bin.
    std = torch.from_numpy(statistics.std)[:, None].clamp(min=1e-12)
    inner_edges = torch.from_numpy(RESIDUAL_CENTRES[:-1] + 0.5 / 255)
    below = 0.5 * (1 + torch.erf((inner_edges - mean) / (std * math.sqrt(2))))
    # The end bins take the tails, as they take the outliers of the counted residuals.
    padded = F.pad(F.pad(below, (1, 0), value=0.0), (0, 1), value=1.0)
    return np.asarray(padded.diff(dim=1).numpy(), dtype=np.float64)


def white_gaussian_histogram(statistics: ResidualStatistics) -> Array:
    """The histogram that Gaussian noise of the same mean and standard deviation per channel would have.

    Args:
        statistics: of the set that the Gaussian is fitted to.

    Returns:
        Shape (3, 255), expected counts (not whole numbers), each channel summing to `statistics.pixels`.
    """
    return _white_gaussian_shares(statistics) * statistics.pixels


def white_gaussian_joint_histogram(statistics: ResidualStatistics) -> Array:
    """The joint histogram of Gaussian noise that has one standard deviation, whatever the brightness.

    Args:
        statistics: of the set that the Gaussian is fitted to, all brightnesses together.

    Returns:
        Shape (3, 16, 255), expected counts, with the set's own pixel counts in the brightness bins.
    """
    return _white_gaussian_shares(statistics)[:, None, :] * statistics.brightness_pixels[None, :, None]


def white_gaussian_kl(statistics: ResidualStatistics) -> float:
    """KL(set || its best-fitting white Gaussian) in nats, the mean over the channels.

    What a model must stay below to describe the set's residuals better than white Gaussian noise does. The
    Gaussian is fitted to the very set it is judged on, so the bar is a strict one.

    Args:
        statistics: of the set.

    Returns:
        The divergence, at least zero.
    """
    return kl_divergence(statistics.histogram, white_gaussian_histogram(statistics))


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio, -10 log10(mean((a - b)^2)).

    Args:
        a: 3 x H x W, in [0, 1].
        b: 3 x H x W, in [0, 1].

    Returns:
        In dB; infinity if the images are equal.

    Examples:
        >>> round(psnr(torch.zeros(3, 8, 8), torch.full((3, 8, 8), 0.1)), 3)
        20.0
    """
    return float(peak_signal_noise_ratio(a[None], b[None], data_range=1.0))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) with an 11 x 11 Gaussian window, the mean over the channels.

    Args:
        a: 3 x H x W, in [0, 1], both sides at least 11.
        b: 3 x H x W, in [0, 1].

    Returns:
        At most 1, which equal images reach.

    Raises:
        ValueError: a side is shorter than the window.

    Examples:
        >>> image = torch.linspace(0, 1, 3 * 16 * 16).view(3, 16, 16)
        >>> round(ssim(image, image), 4)
        1.0
    """
    if min(a.shape[-2:]) < SMALLEST_SSIM_SIDE:
        raise ValueError(f"SSIM needs sides of at least {SMALLEST_SSIM_SIDE}; the image is {tuple(a.shape)}")
    value = structural_similarity_index_measure(a[None], b[None], data_range=1.0)
    return float(value if isinstance(value, Tensor) else value[0])


def _mirrored(side: int, margin: int) -> Tensor:
    position = torch.arange(-margin, side + margin) % (2 * side)
    return torch.minimum(position, 2 * side - 1 - position)


def smooth_reference(image: Tensor) -> Tensor:
    """The image blurred by a Gaussian of 1.5 pixels standard deviation, with mirrored borders.

    A stand-in for the clean image where there is none; see `high_pass_residual`.

    Args:
        image: 3 x H x W, in [0, 1].

    Returns:
        3 x H x W, in [0, 1].
    """
    margin = math.ceil(4 * HIGH_PASS_SIGMA)
    offsets = torch.arange(-margin, margin + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (offsets / HIGH_PASS_SIGMA) ** 2)
    kernel = (kernel / kernel.sum()).to(image)
    height, width = image.shape[1:]
    rows = _mirrored(height, margin).to(image.device)
    columns = _mirrored(width, margin).to(image.device)
    padded = image[:, rows][:, :, columns][:, None]
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]


def high_pass_residual(image: Tensor) -> Tensor:
    """The image less `smooth_reference` of itself: its finest detail and the finer part of its noise.

    This is not the noise. It lacks the noise's coarse part (white noise keeps 0.945 of its standard
    deviation, noise whose grain spans several pixels loses most of it) and holds the picture's own edges and
    texture. Numbers made from it compare two sets treated alike and showing alike scenes; they say nothing of
    either set alone.

    Args:
        image: 3 x H x W, in [0, 1].

    Returns:
        3 x H x W, with zero where the image is flat.

    Examples:
        >>> bool(high_pass_residual(torch.full((3, 9, 4), 0.3)).abs().max() < 1e-6)
        True
    """
    return image - smooth_reference(image)
