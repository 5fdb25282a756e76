"""NIQE, BRISQUE and PIQE, and what they are made of."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.brisque import Brisque, SupportVectors, brisque_features
from flowkit_deflow.evaluation.metrics.colour import grey_levels
from flowkit_deflow.evaluation.metrics.generalized_gaussian import fit_asymmetric, fit_symmetric
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles, MissingFileError
from flowkit_deflow.evaluation.metrics.niqe import Niqe, niqe_features
from flowkit_deflow.evaluation.metrics.normalized_contrast import normalized_contrast
from flowkit_deflow.evaluation.metrics.piqe import piqe

Photograph = Callable[[str], Tensor]
Noisy = Callable[[Tensor], Tensor]


class TestFits:
    # 200,000 values give the shape within a few hundredths.
    @pytest.mark.parametrize(
        ("shape", "sampled"), [(2.0, torch.distributions.Normal), (1.0, torch.distributions.Laplace)]
    )
    def test_a_known_shape_is_found(
        self, shape: float, sampled: Callable[[float, float], torch.distributions.Distribution]
    ) -> None:
        torch.manual_seed(0)
        values = sampled(0.0, 3.0).sample((200_000,)).double()
        found, variance = fit_symmetric(values)
        assert float(found) == pytest.approx(shape, abs=0.04)
        assert float(variance) == pytest.approx(float(values.var()), rel=1e-3)
        assert float(fit_asymmetric(values).shape) == pytest.approx(shape, abs=0.04)

    @given(st.integers(0, 2**31), st.floats(0.01, 100))
    def test_scaled_values_have_the_same_shape(self, seed: int, factor: float) -> None:
        values = torch.randn(300, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        values = torch.where(values > 0, 2 * values, values)
        fit, scaled = fit_asymmetric(values), fit_asymmetric(factor * values)
        # A rounding may choose the neighbour in the table of shapes.
        assert float(scaled.shape) == pytest.approx(float(fit.shape), abs=0.0011)
        assert float(scaled.left_std) == pytest.approx(factor * float(fit.left_std))
        assert float(scaled.right_std) == pytest.approx(factor * float(fit.right_std))

    def test_the_sides_of_skewed_values_are_told_apart(self) -> None:
        values = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        fit = fit_asymmetric(torch.where(values > 0, 3 * values, values))
        assert float(fit.left_std) == pytest.approx(1, rel=0.02)
        assert float(fit.right_std) == pytest.approx(3, rel=0.02)


@pytest.fixture(scope="module")
def own(photograph: Photograph) -> Niqe:
    return Niqe.of_photographs([photograph(name)[0] for name in ("coffee", "rocket", "chelsea")])


class TestNiqe:
    def test_noise_is_farther_from_natural_images(self, own: Niqe, photograph: Photograph, noisy: Noisy) -> None:
        clean = photograph("astronaut")
        natural, unnatural = own(torch.cat([clean, noisy(clean)])).tolist()
        assert 0 < natural < 0.7 * unnatural

    def test_the_distance_is_that_of_its_definition(self, own: Niqe, photograph: Photograph) -> None:
        features, _ = niqe_features(photograph("astronaut")[0])
        numbers = features.numpy()
        off = numbers.mean(0) - own.mean.numpy()
        pooled = (np.cov(numbers.T) + own.covariance.numpy()) / 2
        assert float(own(photograph("astronaut"))) == pytest.approx(math.sqrt(off @ np.linalg.pinv(pooled) @ off))

    def test_a_uniform_image_cannot_be_measured(self, own: Niqe) -> None:
        assert math.isnan(float(own(torch.full((1, 3, 200, 200), 0.5))))

    def test_a_small_image_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 96"):
            niqe_features(torch.zeros(3, 95, 200))

    def test_a_damaged_model_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "niqe").mkdir()
        (tmp_path / "niqe" / "modelparameters.mat").write_bytes(b"no matrix")
        with pytest.raises(UserError, match="is not NIQE's model"):
            Niqe.read(MetricFiles(tmp_path))


class TestBrisque:
    def test_a_model_as_text_is_read_and_evaluated(self, tmp_path: Path) -> None:
        path = tmp_path / "model.txt"
        path.write_text("svm_type epsilon_svr\ngamma 0.5\nrho 2\ntotal_sv 2\nSV\n3 1:1 3:-1 \n-1 2:2 \n")
        regression = SupportVectors.read(path, 3)
        x = torch.tensor([[0.5, 0.0, 1.0]], dtype=torch.float64)
        expected = 3 * math.exp(-0.5 * (0.25 + 0 + 4)) - math.exp(-0.5 * (0.25 + 4 + 1)) - 2
        assert float(regression(x)) == pytest.approx(expected)

    def test_the_score_scales_features_to_their_ranges(self, photograph: Photograph) -> None:
        images = photograph("coffee")
        (features,) = brisque_features(images)
        # One support vector at the features themselves, scaled by ranges that put them in the middle.
        regression = SupportVectors(
            torch.zeros(1, 36, dtype=torch.float64), torch.ones(1, dtype=torch.float64), 1.0, 0.25
        )
        assert float(Brisque(regression, features - 1, features + 1)(images)) == pytest.approx(0.75)
        assert float(Brisque(regression, features, features + 2)(images)) == pytest.approx(math.exp(-36) - 0.25)

    def test_a_missing_model_is_told_with_its_place(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError, match=r"svm_model\.txt.*--metric-files"):
            Brisque.read(MetricFiles(tmp_path))

    def test_a_damaged_model_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "model.txt").write_text("gamma 0.5\nSV\n1 1:x\n")
        with pytest.raises(UserError, match="no support-vector model"):
            SupportVectors.read(tmp_path / "model.txt", 36)
        (tmp_path / "model.txt").write_text("gamma 0.5\nrho 0.1\ntotal_sv 3\nSV\n1 1:2\n1 1:3\n")
        with pytest.raises(UserError, match="2 of 3 vectors"):
            SupportVectors.read(tmp_path / "model.txt", 36)


def plain_piqe(grey: Tensor) -> float:
    """The definition, block by block."""
    coefficients = normalized_contrast(grey[None, None], "replicate").coefficients[0, 0].numpy()
    active, distortion = 0, 0.0
    for top in range(0, coefficients.shape[0], 16):
        for left in range(0, coefficients.shape[1], 16):
            block = coefficients[top : top + 16, left : left + 16]
            variance = block.var(ddof=1)
            if variance <= 0.1:
                continue
            active += 1
            edges = (block[0], block[-1], block[:, 0], block[:, -1])
            if any(edge[i : i + 6].std(ddof=1) < 0.1 for edge in edges for i in range(11)):
                distortion += 1 - variance
            ratio = block[:, 7:9].std(ddof=1) / np.delete(block, (7, 9), 1).std(ddof=1)
            std = math.sqrt(variance)
            if std > 2 * abs(std - ratio) / max(std, ratio):
                distortion += variance
    return 100 * (1 + distortion) / (1 + active)


class TestPiqe:
    def test_it_is_its_definition(self, photograph: Photograph, noisy: Noisy) -> None:
        images = torch.cat([photograph("coffee"), noisy(photograph("coffee"))])[..., :192, :288]
        expected = [plain_piqe(grey[0]) for grey in grey_levels(images)]
        assert piqe(images).tolist() == pytest.approx(expected)
        assert expected[0] < expected[1]

    def test_an_image_without_activity_is_the_worst(self) -> None:
        assert float(piqe(torch.full((1, 3, 30, 50), 0.3))) == 100
