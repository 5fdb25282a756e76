import numpy as np
import torch

from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.noise_by_place import NoiseByPlace
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.noise_by_texture import STD_BY_TEXTURE
from flowkit_deflow.evaluation.texture import local_contrast
from tests.flowkit_deflow.evaluation.residuals import photograph, white_noise


def of(*pairs: Pair) -> ImageSet:
    return measure(pairs, [NoiseByPlace])


def test_noise_that_follows_texture_is_seen_in_the_fifths() -> None:
    image = photograph("astronaut").double() * 0.5 + 0.25
    contrast = local_contrast(Pair(image, image).detail)
    order = contrast.flatten().argsort().argsort()
    fifth = 5 * order // order.numel()
    std = torch.tensor([0.01, 0.02, 0.03, 0.04, 0.05], dtype=torch.float64)[fifth].view(contrast.shape)
    real = of(Pair(image + std * white_noise(*image.shape), image))
    flat = of(Pair(image + 0.03 * white_noise(*image.shape, seed=1), image))
    sets = ImageSets(real, flat, ())
    # 157,000 values a fifth: an error of 0.2%. A bin of contrast (4.4% wide) goes to one fifth as a whole, which puts
    # up to 4% of a fifth's pixels on the wrong side: 12% of the variance of the first fifth.
    np.testing.assert_allclose(STD_BY_TEXTURE.of(real, sets), [0.01, 0.02, 0.03, 0.04, 0.05], rtol=0.06)
    np.testing.assert_allclose(STD_BY_TEXTURE.of(flat, sets), 0.03, rtol=0.01)


def test_the_fifths_are_those_of_the_real_images() -> None:
    image = photograph("astronaut").double() * 0.5 + 0.25
    smooth = torch.full_like(image, 0.5)
    noise = 0.03 * white_noise(*image.shape)
    sets = ImageSets(of(Pair(image + noise, image)), of(Pair(smooth + noise, smooth)), ())
    in_smooth = np.asarray(STD_BY_TEXTURE.of(sets.generated, sets))
    assert np.isfinite(in_smooth[0])
    assert np.isnan(in_smooth[1:]).all()
