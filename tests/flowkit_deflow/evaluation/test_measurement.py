import math
from pathlib import Path

import numpy as np
import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.counts import Counts
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_CENTRES
from flowkit_deflow.evaluation.statistic import add
from flowkit_deflow.images.image_files import ImageError, write_image
from tests.flowkit_deflow.evaluation.residuals import KINDS, grey, photograph, unclipped_photograph, white_noise


def test_streaming_equals_one_computation_over_all_pixels() -> None:
    rng = torch.Generator().manual_seed(0)
    images = [photograph("chelsea")[:, :100, :120], photograph("coffee")[:, 50:90, :70]]
    noisy = [(x + 0.05 * torch.randn(x.shape, generator=rng)).clamp(0, 1) for x in images]
    result = measure((Pair(degraded, reference) for degraded, reference in zip(noisy, images, strict=True)), KINDS)
    residual = np.concatenate([(d.double() - x).flatten(1).numpy() for d, x in zip(noisy, images, strict=True)], 1)
    brightness = np.concatenate([x.double().mean(0).flatten().numpy() for x in images])
    np.testing.assert_allclose(result[Moments].mean, residual.mean(1), atol=1e-12)
    np.testing.assert_allclose(result[Moments].std, residual.std(1), rtol=1e-10)
    np.testing.assert_allclose(result[Moments].correlation, np.corrcoef(residual), atol=1e-10)
    assert (result[Counts].images, result[Counts].pixels) == (2, 100 * 120 + 40 * 70)
    for index in range(16):
        inside = np.minimum((16 * brightness).astype(int), 15) == index
        assert result[NoiseByBrightness].pixels[index] == inside.sum()
        if inside.any():
            expected = np.sqrt(residual[:, inside].var(1).mean())
            assert result[NoiseByBrightness].std[index] == pytest.approx(expected, rel=1e-7, abs=1e-9)
        else:
            assert math.isnan(result[NoiseByBrightness].std[index])
    edges = np.append(RESIDUAL_CENTRES - 0.5 / 255, 0.5)
    for channel in range(3):
        counts, _ = np.histogram(residual[channel].clip(-0.5, 0.5), edges)
        np.testing.assert_array_equal(result[ResidualHistogram].counts[channel], counts)


def test_the_sums_of_any_images_add_up_to_their_statistics() -> None:
    # What intervals over images rest on: an image drawn twice counts twice.
    images = [Pair(0.5 + 0.05 * white_noise(3, 20, side, seed=side), grey(3, 20, side)) for side in (18, 30, 40)]
    drawn = [images[1], images[1], images[0]]
    together = measure(drawn, KINDS)
    for kind in KINDS:
        sums = [kind.sums(pair) for pair in drawn]
        other_order = kind.from_sums(add(sums[2], add(sums[0], sums[1])))
        if other_order is None:
            # Images without a clean partner in both sets, and single samples.
            assert kind not in together.statistics
            continue
        for name, value in vars(together[kind]).items():
            # Sums of the same terms in another order: rounding, at autocorrelations near zero relative to 1.
            # Ranges near edges are not there in noise on grey: NaN on both sides.
            np.testing.assert_allclose(getattr(other_order, name), value, rtol=1e-10, atol=1e-12)


def test_nothing_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="no image"):
        measure([], KINDS)


def test_progress_is_told_of_every_degraded_image(folder: Path) -> None:
    done: list[Path] = []
    (folder / "real" / "broken.png").write_bytes(b"not an image")
    evaluate(folder / "generated", folder / "real", progress=done.append)
    assert len(done) == len(set(done)) == 7


def test_unreadable_files_are_left_out_with_a_warning_unless_strict(folder: Path) -> None:
    whole = evaluate(folder / "generated", folder / "real", folder / "clean")
    broken = folder / "generated" / "astronaut_s2.png"
    broken.write_bytes(b"not an image")
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    assert len(result.warnings) == 1
    assert str(broken) in result.warnings[0]
    np.testing.assert_array_equal(result.values["generated"]["histogram"], whole.values["generated"]["histogram"])
    with pytest.raises(ImageError, match="astronaut_s2"):
        evaluate(folder / "generated", folder / "real", folder / "clean", strict=True)


def test_an_unreadable_clean_image_is_one_warning_and_costs_its_partners(folder: Path) -> None:
    (folder / "clean" / "astronaut.png").write_bytes(b"")
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    assert len(result.warnings) == 1
    assert (result.values["real"]["images"], result.values["generated"]["images"]) == (1, 2)
    assert result.values["fidelity"]["clean_images"] == 1


def test_a_wholly_unreadable_set_is_an_error(folder: Path) -> None:
    for path in (folder / "real").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 2 real images .*astronaut\.png"):
        evaluate(folder / "generated", folder / "real")


def test_sizes_that_differ_are_an_error_that_names_both(folder: Path) -> None:
    write_image(folder / "clean" / "astronaut.png", unclipped_photograph("astronaut")[:, ::2, ::2])
    with pytest.raises(UserError, match=r"real/astronaut\.png' is 128 x 96 .*clean/astronaut\.png' is 64 x 48"):
        evaluate(folder / "generated", folder / "real", folder / "clean")
