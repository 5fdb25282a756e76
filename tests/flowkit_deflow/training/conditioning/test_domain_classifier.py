import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.training.conditioning.domain_classifier import classify_domain


def picture(seed: int, noise: float, contrast: float = 0.1) -> Tensor:
    """h of a scene of its own contrast, with noise."""
    generator = seeded_generator(seed, "h")
    coarse = contrast * torch.randn(1, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(48, 48), mode="bicubic")[0]
    return 0.5 + smooth + noise * torch.randn(3, 48, 48, generator=generator)


def test_noise_tells_the_domain_and_more_noise_in_both_hides_it() -> None:
    def auc(hidden: float) -> float:
        clean = [picture(seed, hidden) for seed in range(20)]
        degraded = [picture(seed, (hidden**2 + 0.02**2) ** 0.5) for seed in range(20, 40)]
        return classify_domain(clean, degraded).auc

    aucs = [auc(hidden) for hidden in (0.01, 0.04, 0.2)]
    assert aucs[0] > 0.95
    assert aucs[0] > aucs[1] > aucs[2]
    assert aucs[2] < 0.6


@pytest.mark.parametrize("seed", range(4))
def test_images_of_one_kind_cannot_be_told_apart(seed: int) -> None:
    """Each image has a contrast of its own, by which its windows are alike: it must not be learnt by heart."""
    contrasts = (0.02 + 0.3 * torch.rand(60, generator=seeded_generator(seed, "contrast"))).tolist()
    images = [picture(100 * seed + index, 0.02, contrast) for index, contrast in enumerate(contrasts)]
    told = classify_domain(images[:30], images[30:])
    # By images, not by windows: 2 of these standard errors are 0.1 to 0.2.
    assert abs(told.auc - 0.5) < 3 * told.standard_error
    assert 0.02 < told.standard_error < 0.12


def test_colour_is_seen() -> None:
    def tinted(seed: int, grey: bool) -> Tensor:
        noise = torch.randn(1 if grey else 3, 32, 32, generator=seeded_generator(seed, "tint"))
        return 0.5 + 0.02 * noise.expand(3, -1, -1)

    told = classify_domain([tinted(seed, True) for seed in range(8)], [tinted(seed, False) for seed in range(8, 16)])
    assert told.auc > 0.99


def test_too_few_images() -> None:
    images = [picture(seed, 0.02) for seed in range(4)]
    with pytest.raises(ValueError, match="4 clean images have an h of 8 x 8 pixels; expected at least 5"):
        classify_domain(images, images * 2)
    with pytest.raises(ValueError, match="0 degraded images"):
        classify_domain(images * 2, [image[:, :7] for image in images * 2])
