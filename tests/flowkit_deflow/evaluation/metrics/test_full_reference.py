"""PSNR, SSIM and LPIPS, against skimage and a plain evaluation."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.feature_networks import alexnet, vgg16
from flowkit_deflow.evaluation.metrics.lpips import Lpips
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.psnr import psnr
from flowkit_deflow.evaluation.metrics.published_files import ALEX, LpipsFiles, PublishedFile, download
from flowkit_deflow.evaluation.metrics.registry import METRICS
from flowkit_deflow.evaluation.metrics.ssim import ssim
from flowkit_deflow.state_files import read_state, write_state

# What the issue of both implementations agreeing asks for.
CLOSE = 1e-6


@pytest.fixture(scope="module")
def pair(photograph: Callable[[str], Tensor], noisy: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    images = torch.cat([photograph("coffee"), photograph("chelsea")])
    return noisy(images), images


def of_metric(key: str, pair: tuple[Tensor, Tensor]) -> list[float]:
    return METRICS[key].load(MetricFiles.usual())(*pair).tolist()


def as_numpy(images: Tensor, luma: bool) -> list[np.ndarray]:
    pixels = [image.permute(1, 2, 0).double().numpy() for image in images]
    return [rgb2ycbcr(image)[..., :1] / 255 for image in pixels] if luma else pixels


@pytest.mark.parametrize(("key", "luma"), [("psnr", False), ("psnr-y", True)])
def test_psnr_is_that_of_skimage(pair: tuple[Tensor, Tensor], key: str, luma: bool) -> None:
    images, references = (as_numpy(part, luma) for part in pair)
    expected = [peak_signal_noise_ratio(b, a, data_range=1) for a, b in zip(images, references, strict=True)]
    assert of_metric(key, pair) == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize(("key", "luma"), [("ssim", False), ("ssim-y", True)])
def test_ssim_is_that_of_skimage(pair: tuple[Tensor, Tensor], key: str, luma: bool) -> None:
    images, references = (as_numpy(part, luma) for part in pair)
    expected = [
        structural_similarity(
            a, b, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(images, references, strict=True)
    ]
    assert of_metric(key, pair) == pytest.approx(expected, abs=CLOSE)


def test_psnr_is_the_noise_level_in_decibels(photograph: Callable[[str], Tensor]) -> None:
    image = photograph("coffee").double() * 0.5 + 0.25
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # 172,800 values: the standard error of the mean square is 0.3 %, 0.015 dB.
    assert float(psnr(image + 0.01 * noise, image)) == pytest.approx(40.0, abs=0.08)
    assert float(psnr(image, image)) == math.inf
    assert 0 < float(ssim(image + 0.05 * noise, image)) < float(ssim(image + 0.01 * noise, image)) < 1


def test_ssim_refuses_an_image_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match="at least 11"):
        ssim(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))


@pytest.mark.parametrize("network", [alexnet, vgg16])
def test_lpips_is_the_weighted_distance_of_unit_features(network: Callable[[], torch.nn.Module]) -> None:
    torch.manual_seed(0)
    features = network()
    images, references = torch.rand(2, 2, 3, 40, 40)
    channels = [part.shape[1] for part in features(images)]
    weights = [torch.rand(count) for count in channels]
    lpips = Lpips(features, weights)
    expected = torch.zeros(2)
    for a, b, weight in zip(features(images), features(references), weights, strict=True):
        for image in range(2):
            for place in zip(a[image].flatten(1).T, b[image].flatten(1).T, strict=True):
                unit_a, unit_b = (values / values.norm().clamp(min=1e-10) for values in place)
                expected[image] += (weight * (unit_a - unit_b) ** 2).sum() / a[image, 0].numel()
    assert lpips(images, references).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_lpips_gives_gradients_where_it_can_be_minimised() -> None:
    torch.manual_seed(0)
    lpips = Lpips(alexnet(), [torch.ones(channels) for channels in (64, 192, 384, 256, 256)])
    references = torch.rand(1, 3, 40, 40)
    images = (references + 0.1 * torch.randn_like(references)).requires_grad_()
    before = lpips(images, references).sum()
    (gradient,) = torch.autograd.grad(before, images)
    assert lpips(images - 1e-2 * gradient / gradient.norm(), references).sum() < before


class TestPublishedParts:
    """LPIPS put together from torchvision's and LPIPS's own files."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> LpipsFiles:
        """Files like those, at places that can be downloaded from."""
        torch.manual_seed(0)
        network = {key.replace("layers", "features"): value for key, value in alexnet().state_dict().items()}
        linear = {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate((64, 192, 384, 256, 256))}
        write_state(tmp_path / "there" / "network.pth", network | {"classifier.1.bias": torch.zeros(1)})
        write_state(tmp_path / "there" / "linear.pth", linear)
        parts = [
            PublishedFile(part.name, (tmp_path / "there" / name).as_uri())
            for part, name in ((ALEX.network, "network.pth"), (ALEX.linear, "linear.pth"))
        ]
        return LpipsFiles(ALEX.whole, *parts)

    def test_they_are_downloaded_and_give_the_distance(self, source: LpipsFiles, tmp_path: Path) -> None:
        files = MetricFiles(tmp_path / "here")
        download(source, files)
        lpips = Lpips.alex(files)
        state = read_state(tmp_path / "there" / "network.pth")
        assert torch.equal(lpips.network.convolutions[2].weight, state["features.6.weight"])
        linear = read_state(tmp_path / "there" / "linear.pth")
        assert torch.equal(lpips.get_buffer("weight4").flatten(), linear["lin4.model.1.weight"].flatten())

    def test_what_is_something_else_is_not_kept(self, source: LpipsFiles, tmp_path: Path) -> None:
        wrong = replace(source, network=replace(source.network, sha256="0000"))
        with pytest.raises(UserError, match="cannot be downloaded"):
            download(wrong, MetricFiles(tmp_path / "here"))
        assert list((tmp_path / "here").iterdir()) == []

    def test_a_missing_part_is_named(self, source: LpipsFiles, tmp_path: Path) -> None:
        files = MetricFiles(tmp_path / "here")
        download(source, files)
        (tmp_path / "here" / "alex.pth").unlink()
        with pytest.raises(UserError, match=r"LPIPS needs the published file 'alex\.pth'"):
            Lpips.alex(files)
