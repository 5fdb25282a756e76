"""Moments per class, and the shift that is estimated from them."""

from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.shifts.measure import PLACES_PER_CHANNEL, measure, measure_pairs, symmetric_root
from flowkit_deflow.method.shifts.moments import ClassMoments

TOLERANCE: dict[str, Any] = {"atol": 1e-10, "rtol": 1e-10}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def in_classes(z: Tensor, labels: Tensor, classes: int) -> ClassMoments:
    """Moments of latents each of which belongs to one class alone; labels ``B x H x W``."""
    moments = ClassMoments(classes, z.shape[1])
    moments.add(z, torch.nn.functional.one_hot(labels, classes).movedim(-1, 1))
    return moments


def halves(batch: int, height: int, width: int) -> Tensor:
    """The left half belongs to class 0, the right one to class 1."""
    return (torch.arange(width) >= width // 2).long().expand(batch, height, width)


class TestMoments:
    def test_they_are_those_of_each_class(self) -> None:
        z, labels = normal(3, 4, 5, 6) + 2, halves(3, 5, 6)
        moments = in_classes(z, labels, 2).per_class()
        for label in range(2):
            columns = z.movedim(1, -1)[labels == label]
            torch.testing.assert_close(moments.mean[label], columns.mean(0), **TOLERANCE)
            torch.testing.assert_close(moments.covariance[label], columns.T.cov(correction=0), **TOLERANCE)

    def test_batches_add_up(self) -> None:
        z, weights = normal(6, 3, 2, 5), normal(6, 4, 2, 5, seed=1).square()
        whole, parts = ClassMoments(4, 3), ClassMoments(4, 3)
        whole.add(z, weights)
        for batch in (slice(0, 1), slice(1, 1), slice(1, 6)):
            parts.add(z[batch], weights[batch])
        for got, expected in zip(parts.per_class(), whole.per_class(), strict=True):
            torch.testing.assert_close(got, expected, **TOLERANCE)

    def test_pooled_they_are_those_of_all_places(self) -> None:
        z, weights = normal(2, 3, 4, 5), normal(2, 4, 4, 5, seed=1).softmax(1)
        moments = ClassMoments(4, 3)
        moments.add(z, weights)
        columns = z.movedim(1, 0).flatten(1)
        torch.testing.assert_close(moments.pooled().mean[0], columns.mean(1), **TOLERANCE)
        torch.testing.assert_close(moments.pooled().covariance[0], columns.cov(correction=0), **TOLERANCE)

    def test_weights_count_as_repetitions(self) -> None:
        z = normal(1, 2, 1, 3)
        moments = ClassMoments(1, 2)
        moments.add(z, torch.tensor([1.0, 2.0, 3.0]).reshape(1, 1, 1, 3))
        repeated = z[..., [0, 1, 1, 2, 2, 2]][0, :, 0]
        torch.testing.assert_close(moments.per_class().covariance[0], repeated.cov(correction=0), **TOLERANCE)

    def test_sums_are_in_double_precision_whatever_is_added(self) -> None:
        # In float32, the variance 1 of numbers near 1000 would be lost in the rounding of their squares.
        z = (normal(1, 1, 100, 100) + 1000).float()
        moments = ClassMoments(1, 1)
        moments.add(z, torch.ones(1, 1, 100, 100))
        assert moments.per_class().covariance.item() == pytest.approx(z.double().var(correction=0).item(), rel=1e-6)


def of_images(strengths: tuple[float, float], spread: float, images: int, seed: int) -> ClassMoments:
    """White latents of two classes in many images, each image with a strength of its own."""
    moments = ClassMoments(2, 2)
    own = torch.exp(spread * normal(images, 1, 1, 1, seed=seed))
    scale = torch.tensor(strengths, dtype=torch.float64)[halves(images, 12, 12)[:, None]].sqrt()
    moments.add(
        own * scale * normal(images, 2, 12, 12, seed=seed + 1),
        torch.nn.functional.one_hot(halves(images, 12, 12), 2).movedim(-1, 1),
        torch.arange(images),
    )
    return moments


class TestTrust:
    def test_the_variance_of_a_class_is_that_over_sets_of_images(self) -> None:
        sets = [of_images((1.0, 4.0), 0.3, 40, seed) for seed in range(100, 500, 2)]
        totals = torch.stack([s.per_class().covariance.diagonal(dim1=-2, dim2=-1).sum(-1) for s in sets])
        estimated = torch.stack([s.variance_of_total() for s in sets]).mean(0)
        # Of 200 sets the variance is known within 10 %; eight groups overstate it a little.
        torch.testing.assert_close(estimated, totals.var(0), rtol=0.3, atol=0)

    def test_classes_of_many_like_images_keep_their_own_strength(self) -> None:
        clean, degraded = of_images((1.0, 1.0), 0.0, 64, 1), of_images((2.0, 6.0), 0.0, 64, 3)
        strength = measure(clean, degraded).root.square().sum((1, 2)) / 2
        torch.testing.assert_close(strength, torch.tensor([1.0, 5.0], dtype=torch.float64), rtol=0.1, atol=0)

    def test_what_images_differ_in_more_than_classes_is_shared(self) -> None:
        clean, degraded = of_images((1.0, 1.0), 0.5, 8, 1), of_images((2.0, 2.0), 0.5, 8, 3)
        own = (degraded.per_class().covariance - clean.per_class().covariance).diagonal(dim1=-2, dim2=-1).sum(-1)
        strength = measure(clean, degraded).root.square().sum((1, 2))
        assert (strength[0] - strength[1]).abs() < 0.5 * (own[0] - own[1]).abs()

    def test_one_image_alone_is_taken_as_it_is(self) -> None:
        assert (in_classes(normal(1, 2, 20, 20), halves(1, 20, 20), 2).variance_of_total() == 0).all()


class TestMeasure:
    def test_it_is_the_difference_of_the_covariances_class_by_class(self) -> None:
        labels = halves(4, 20, 20)
        x = normal(4, 2, 20, 20, seed=1)
        y = x.flip(0) + normal(4, 2, 20, 20, seed=2) * (1 + 2 * labels[:, None])
        clean, degraded = in_classes(x, labels, 2), in_classes(y, labels, 2)
        measured = measure(clean, degraded)
        difference = degraded.per_class().covariance - clean.per_class().covariance
        torch.testing.assert_close(measured.root @ measured.root.mT, difference, **TOLERANCE)
        # The noise's deviations are 1 and 3; 800 places know a variance to 5 %.
        deviations = (measured.root @ measured.root.mT).diagonal(dim1=1, dim2=2).sqrt()
        torch.testing.assert_close(deviations, torch.tensor([[1.0, 1.0], [3.0, 3.0]]).double(), atol=0, rtol=0.15)
        torch.testing.assert_close(measured.clean_mean, clean.per_class().mean, **TOLERANCE)
        torch.testing.assert_close(
            measured.clean_root @ measured.clean_root.mT, clean.per_class().covariance, **TOLERANCE
        )

    def test_motifs_of_other_colours_are_no_shift_of_the_mean(self) -> None:
        labels = halves(2, 20, 20)
        clean, degraded = (in_classes(normal(2, 2, 20, 20, seed=s) + 5 * s, labels, 2) for s in range(2))
        assert not measure(clean, degraded).mean.any()

    def test_what_has_less_variance_when_degraded_gets_none(self) -> None:
        labels = halves(2, 20, 20)
        x = normal(2, 2, 20, 20, seed=1)
        y = normal(2, 2, 20, 20, seed=2) * torch.tensor([0.5, 2.0]).double()[:, None, None]
        root = measure(in_classes(x, labels, 2), in_classes(y, labels, 2)).root
        assert torch.linalg.eigvalsh(root).min() > 0
        # But for chance: the channels are uncorrelated, to 1 / sqrt(400).
        assert (root @ root)[:, 0, 0].max() < 0.1
        assert (root @ root)[:, 1, 1].min() > 2

    @pytest.mark.parametrize("few", ["clean", "degraded"])
    def test_a_class_of_too_few_places_takes_the_mean_of_the_others(self, few: str) -> None:
        channels = 2
        least = PLACES_PER_CHANNEL * channels
        # The second class has one place less than it needs in one of the domains.
        sparse = torch.zeros(1, 30, 30, dtype=torch.long)
        sparse.flatten()[: least - 1] = 1
        dense = halves(1, 30, 30)
        x, y = normal(1, channels, 30, 30, seed=1), 3 * normal(1, channels, 30, 30, seed=2)
        clean = in_classes(x, sparse if few == "clean" else dense, 2)
        degraded = in_classes(y, sparse if few == "degraded" else dense, 2)
        measured = measure(clean, degraded)
        own = degraded.per_class().covariance - clean.per_class().covariance
        squares = measured.root @ measured.root.mT
        torch.testing.assert_close(squares[1], own[0], **TOLERANCE)
        torch.testing.assert_close(squares[0], own[0], **TOLERANCE)
        assert (own[0] - own[1]).abs().max() > 0.1

    def test_an_empty_class_is_no_obstacle(self) -> None:
        labels = torch.zeros(1, 10, 10, dtype=torch.long)
        clean, degraded = (in_classes(normal(1, 2, 10, 10, seed=s), labels, 3) for s in range(2))
        assert all(bool(part.isfinite().all()) for part in measure(clean, degraded))


def test_pairs_have_their_differences_moments() -> None:
    labels = halves(2, 20, 20)
    x = normal(2, 2, 20, 20, seed=1)
    u = normal(2, 2, 20, 20, seed=2) * (1 + labels[:, None]) + labels[:, None]
    clean, differences = in_classes(x, labels, 2), in_classes(u, labels, 2)
    measured = measure_pairs(clean, differences)
    torch.testing.assert_close(measured.mean, differences.per_class().mean, **TOLERANCE)
    torch.testing.assert_close(measured.root @ measured.root.mT, differences.per_class().covariance, **TOLERANCE)
    torch.testing.assert_close(measured.clean_mean, clean.per_class().mean, **TOLERANCE)


def test_the_root_is_symmetric_and_squares_to_the_positive_part() -> None:
    matrix = normal(3, 4, 4)
    matrix = matrix + matrix.mT
    values, vectors = torch.linalg.eigh(matrix)
    positive = vectors * values.clamp_min(1e-6)[:, None] @ vectors.mT
    root = symmetric_root(matrix)
    torch.testing.assert_close(root, root.mT, **TOLERANCE)
    torch.testing.assert_close(root @ root, positive, **TOLERANCE)
