import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.flat_patches import FlatPatchStd
from tests.flowkit_deflow.evaluation.residuals import grey, white_noise

SIDE = 128


def of(*noise: torch.Tensor) -> FlatPatchStd:
    images = (grey(*values.shape) + values for values in noise)
    pairs = [Pair(image, image, scene=str(index)) for index, image in enumerate(images)]
    return measure(pairs, [FlatPatchStd])[FlatPatchStd]


def test_white_noise_has_its_deviation_and_loses_it_when_shrunk() -> None:
    flat = of(*(0.04 * white_noise(3, SIDE, SIDE, seed=seed) for seed in range(6)))
    # Three patches or so of 3 x 1024 values: 2%, and the flattest patches are chosen by a few of their waves.
    assert flat.std[0] == pytest.approx(0.04, rel=0.05)
    # The patches are those with the weakest coarse waves: where there is nothing but noise, that of it is missing.
    lost = flat.std[0] / flat.std[1:] / [2, 4, 8]
    assert ((lost > 0.9) & (lost < 1.8)).all()
    np.testing.assert_allclose(flat.correlation, np.eye(3), atol=0.12)
    # Of three independent channels, two thirds of the variance are about their mean.
    assert flat.chroma_std == pytest.approx(flat.std[0] * np.sqrt(2 / 3), rel=0.1)


def test_grey_noise_has_no_colour_and_coarse_noise_survives() -> None:
    grey_noise = (0.04 * white_noise(1, SIDE, SIDE, seed=seed).expand(3, -1, -1) for seed in range(6))
    assert of(*grey_noise).chroma_std < 1e-4
    coarse = (
        0.04 * white_noise(3, SIDE // 4, SIDE // 4, seed=seed).repeat_interleave(4, 1).repeat_interleave(4, 2)
        for seed in range(6)
    )
    flat = of(*coarse)
    # White noise keeps a fifth.
    assert flat.std[2] > 0.6 * flat.std[0]


def test_the_quieter_half_of_the_scenes_counts_and_samples_of_one_are_one() -> None:
    quiet, loud = ([std * white_noise(3, SIDE, SIDE, seed=seed) for seed in range(2)] for std in (0.02, 0.08))
    # Two patches or so.
    assert of(*quiet, *loud).std[0] == pytest.approx(0.02, rel=0.1)
    pairs = [Pair(grey(3, SIDE, SIDE) + values, grey(3, SIDE, SIDE), scene="one") for values in (quiet[0], loud[0])]
    together = measure(pairs, [FlatPatchStd])[FlatPatchStd]
    assert together.std[0] == pytest.approx(np.sqrt((0.02**2 + 0.08**2) / 2), rel=0.1)


def test_images_smaller_than_a_patch_have_no_flat_noise() -> None:
    assert measure([Pair(grey(3, 20, 40), grey(3, 20, 40))], [FlatPatchStd]).get(FlatPatchStd) is None
