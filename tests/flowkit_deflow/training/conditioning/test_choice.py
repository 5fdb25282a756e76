import pytest
from torch import Tensor

from flowkit_deflow.training.conditioning.choice import Conditioning, choose_conditioning
from flowkit_deflow.training.conditioning.domain_classifier import DomainAUC
from flowkit_deflow.training.conditioning.rehearsal import Trial
from tests.flowkit_deflow.training.conditioning.conftest import coarse, scene, white


def clean(count: int = 12) -> list[Tensor]:
    return [scene(seed) for seed in range(count)]


def degraded(noise, std: float, count: int = 12) -> list[Tensor]:  # type: ignore[no-untyped-def]
    return [(scene(seed) + noise(seed, std)).clamp(0, 1) for seed in range(100, 100 + count)]


def test_white_noise_needs_no_coarse_h() -> None:
    choice = choose_conditioning(clean(), degraded(white, 0.04))
    assert choice.factor == 4
    assert choice.noise_std == pytest.approx(0.04, rel=0.1)
    assert choice.surviving_std[4] == pytest.approx(0.04 * 0.21, rel=0.3)
    assert len(choice.trials) == 9


def test_coarse_noise_needs_a_coarser_or_noisier_h() -> None:
    choice = choose_conditioning(clean(), degraded(coarse, 0.04))
    assert (choice.factor, choice.h_noise) != (4, 0.03)
    assert choice.surviving_std[4] > 0.7 * choice.noise_std


def test_without_noise_at_flat_places_the_paper_s_choice_stands() -> None:
    choice = choose_conditioning(clean(), [scene(seed) for seed in range(100, 112)])
    assert (choice.factor, choice.h_noise) == (4, 0.03)
    assert choice.trials == ()
    assert "no noise at flat places" in str(choice)


def test_only_what_is_asked_for_is_chosen_from() -> None:
    choice = choose_conditioning(clean(), degraded(coarse, 0.04), factors=(8,), h_noises=(0.05,))
    assert (choice.factor, choice.h_noise) == (8, 0.05)
    quiet = choose_conditioning(clean(), [scene(seed) for seed in range(100, 112)], factors=(8, 16), h_noises=(0.1,))
    assert (quiet.factor, quiet.h_noise) == (8, 0.1)


def test_too_few_images() -> None:
    choice = choose_conditioning(clean(), degraded(white, 0.04, 9))
    assert (choice.factor, choice.h_noise, choice.noise_std) == (4, 0.03, None)
    assert "fewer than 10 images of a domain are too few" in str(choice)


def test_images_too_small_to_tell_the_domain_by() -> None:
    small = [image[:, :56, :56] for image in degraded(coarse, 0.04)]
    choice = choose_conditioning([image[:, :56, :56] for image in clean()], small, factors=(8,))
    assert choice.auc is None
    assert "the domain is told" not in str(choice)


def test_one_line_says_what_was_measured_and_chosen() -> None:
    trials = (Trial(4, 0.03, 0.2), Trial(4, 0.06, 0.15), Trial(8, 0.03, 0.1))
    line = str(Conditioning(8, 0.03, 10 / 255, 12 / 255, {4: 5 / 255, 8: 3 / 255}, trials, DomainAUC(0.534, 0.02)))
    assert "\n" not in line
    for part in ("factor 8, h_noise 0.03", "10.0 grey levels", "12.0 on the whole", "5.0 at factor 4, 3.0 at factor 8"):
        assert part in line
    for part in ("0.150 at 4, 0.100 at 8", "53 of 100 cases"):
        assert part in line


def test_the_choice_is_a_function_of_images_and_seed() -> None:
    first, second = (choose_conditioning(clean(10), degraded(white, 0.04, 10), (4, 8), (0.03,)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("auc", "cautions"), [(0.72, True), (0.61, False), (0.53, False)])
def test_folders_of_different_scenes_are_cautioned_against(auc: float, cautions: bool) -> None:
    line = str(Conditioning(4, 0.03, 0.0, 0.0, {}, (), DomainAUC(auc, 0.03)))
    assert ("take photographs of the same cameras and kinds of scenes for both" in line) == cautions
