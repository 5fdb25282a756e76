import json
import math
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import evaluate, table, to_json
from flowkit_deflow.evaluation.statistics import ResidualAccumulator, high_pass_residual, psnr, ssim
from flowkit_deflow.images.image_files import ImageError, read_image, write_image


def photograph(name: str) -> Tensor:
    # Away from black and white, so that adding noise does not clip.
    image = torch.from_numpy(getattr(skimage.data, name)().copy()).permute(2, 0, 1) / 255
    return image[:, :96, :128] * 0.6 + 0.2


def noise_like(image: Tensor, seed: int) -> Tensor:
    return torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, (where, name) in enumerate(((".", "astronaut"), ("cats", "chelsea"))):
        image = photograph(name)
        noise = noise_like(image, index)
        write_image(tmp_path / "clean" / where / f"{name}.png", image)
        write_image(tmp_path / "real" / where / f"{name}.png", image + 0.04 * noise)
        for sample in range(2):
            generated = image + 0.02 * noise_like(image, 10 + 2 * index + sample)
            write_image(tmp_path / "generated" / where / f"{name}_s{sample}.png", generated)
    return tmp_path


def test_samples_are_measured_against_the_clean_image_they_are_named_after(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    assert (result.real.images, result.generated.images) == (2, 4)
    assert (result.real.pixels, result.generated.pixels) == (2 * 96 * 128, 4 * 96 * 128)
    assert result.against_clean
    assert result.warnings == ()
    # 24576 pixels a channel: an error of 0.5% of either; rounding to 8 bits adds up to 0.7% to 0.02.
    np.testing.assert_allclose(result.std_ratio, 0.5, rtol=0.03)
    assert result.overall_std_ratio == pytest.approx(0.5, rel=0.02)
    assert result.lag1_difference == pytest.approx(0, abs=0.02)
    assert result.white_kl < 0.005
    assert result.kl_ratio == pytest.approx(result.kl / result.white_kl)
    assert result.conditional_kl_ratio == pytest.approx(result.conditional_kl / result.white_conditional_kl)
    assert result.shared_brightness > 0.99


def test_kl_goes_from_real_to_generated(folder: Path) -> None:
    narrow, wide = folder / "generated", folder / "real"
    # KL of Gaussians whose standard deviations are as 1 to 2. The other way round, the wide tails meet bins that
    # the narrow noise never filled, and the divergence is far greater.
    known = math.log(2) + 1 / 8 - 0.5
    result = evaluate(wide, narrow, folder / "clean")
    assert result.kl == pytest.approx(known, rel=0.05)
    # Each of 16 bins has a sixteenth of the pixels to estimate its histogram from.
    assert result.conditional_kl == pytest.approx(known, rel=0.15)
    assert evaluate(narrow, wide, folder / "clean").kl > 0.6


def test_fidelity_averages_the_samples_of_each_clean_image(folder: Path) -> None:
    # A generated image whose clean image has no real partner is out of it.
    extra = photograph("coffee")
    write_image(folder / "clean" / "coffee.png", extra)
    write_image(folder / "generated" / "coffee.png", extra.flip(1))
    (folder / "generated" / "astronaut_s1.png").unlink()
    fidelity = evaluate(folder / "generated", folder / "real", folder / "clean").fidelity
    assert fidelity is not None
    assert fidelity.clean_images == 2

    def against_clean(kind: str, name: str) -> tuple[float, float]:
        clean = read_image(folder / "clean" / f"{name.split('_s')[0]}.png")
        image = read_image(folder / kind / f"{name}.png")
        return psnr(image, clean), ssim(image, clean)

    real = np.mean([against_clean("real", "astronaut"), against_clean("real", "cats/chelsea")], axis=0)
    cats = np.mean([against_clean("generated", f"cats/chelsea_s{i}") for i in range(2)], axis=0)
    generated = np.mean([against_clean("generated", "astronaut_s0"), cats], axis=0)
    assert (fidelity.real_psnr, fidelity.real_ssim) == pytest.approx(tuple(real))
    assert (fidelity.generated_psnr, fidelity.generated_ssim) == pytest.approx(tuple(generated))


def test_equal_sets_do_not_differ(folder: Path) -> None:
    result = evaluate(folder / "real", folder / "real", folder / "clean")
    np.testing.assert_array_equal(result.std_ratio, 1)
    assert (result.lag1_difference, result.kl, result.conditional_kl) == (0, 0, 0)


def test_without_clean_images_both_sets_are_measured_against_themselves_smoothed(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real")
    accumulator = ResidualAccumulator()
    for path in ("astronaut.png", "cats/chelsea.png"):
        image = read_image(folder / "real" / path)
        accumulator.add(image, image - high_pass_residual(image))
    # float32 images: the reference is rounded differently.
    np.testing.assert_allclose(result.real.std, accumulator.result().std, rtol=1e-5)
    assert result.fidelity is None
    assert not result.against_clean
    assert result.overall_std_ratio < 0.95


def test_real_images_may_have_clean_partners_of_their_own(folder: Path, tmp_path: Path) -> None:
    image = photograph("coffee")
    write_image(tmp_path / "others" / "noisy" / "coffee.png", image + 0.04 * noise_like(image, 5))
    write_image(tmp_path / "others" / "clean" / "coffee.png", image)
    result = evaluate(
        folder / "generated", tmp_path / "others" / "noisy", folder / "clean", tmp_path / "others" / "clean"
    )
    assert result.real.images == 1
    assert result.overall_std_ratio == pytest.approx(0.5, rel=0.03)
    assert result.fidelity is None


def test_lists_of_files_are_matched_by_stem_and_the_full_name_goes_first(tmp_path: Path) -> None:
    image = photograph("rocket")
    for name, brightness in (("view", 0.0), ("view_s1", 0.1)):
        write_image(tmp_path / "clean" / f"{name}.png", image + brightness)
    write_image(tmp_path / "made" / "view_s0.png", image)
    write_image(tmp_path / "made" / "view_s1.png", image + 0.1)
    write_image(tmp_path / "made" / "view_s1_s7.png", image + 0.1)
    made = sorted((tmp_path / "made").iterdir())
    clean = sorted((tmp_path / "clean").iterdir())
    result = evaluate(made, made[:1], clean)
    np.testing.assert_array_equal(result.generated.std, 0)
    np.testing.assert_array_equal(result.generated.mean, 0)
    assert np.isnan(result.std_ratio).all()


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
    np.testing.assert_array_equal(result.generated.histogram, whole.generated.histogram)
    with pytest.raises(ImageError, match="astronaut_s2"):
        evaluate(folder / "generated", folder / "real", folder / "clean", strict=True)


def test_an_unreadable_clean_image_is_one_warning_and_costs_its_partners(folder: Path) -> None:
    (folder / "clean" / "astronaut.png").write_bytes(b"")
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    assert len(result.warnings) == 1
    assert (result.real.images, result.generated.images) == (1, 2)
    assert result.fidelity is not None
    assert result.fidelity.clean_images == 1


def test_a_wholly_unreadable_set_is_an_error(folder: Path) -> None:
    for path in (folder / "real").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 2 real images .*astronaut\.png"):
        evaluate(folder / "generated", folder / "real")


def test_a_missing_clean_partner_is_an_error_before_anything_is_read(folder: Path) -> None:
    write_image(folder / "generated" / "stranger_s0.png", photograph("coffee"))
    (folder / "real" / "astronaut.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"generated image '.*stranger_s0\.png' has no clean partner.*'stranger'"):
        evaluate(folder / "generated", folder / "real", folder / "clean", strict=True)


def test_a_real_image_without_clean_partner_is_an_error(folder: Path) -> None:
    write_image(folder / "real" / "chelsea.png", photograph("chelsea"))
    with pytest.raises(UserError, match=r"real image '.*real/chelsea\.png' has no clean partner"):
        evaluate(folder / "generated", folder / "real", folder / "clean")


def test_sizes_that_differ_are_an_error_that_names_both(folder: Path) -> None:
    write_image(folder / "clean" / "astronaut.png", photograph("astronaut")[:, ::2, ::2])
    with pytest.raises(UserError, match=r"real/astronaut\.png' is 128 x 96 .*clean/astronaut\.png' is 64 x 48"):
        evaluate(folder / "generated", folder / "real", folder / "clean")


def test_two_clean_images_of_one_name_are_an_error(folder: Path) -> None:
    write_image(folder / "clean" / "astronaut.bmp", photograph("astronaut"))
    with pytest.raises(UserError, match=r"'astronaut'.*astronaut\.bmp.*astronaut\.png"):
        evaluate(folder / "generated", folder / "real", folder / "clean")


def test_clean_partners_for_the_real_images_alone_are_an_error(folder: Path) -> None:
    with pytest.raises(UserError, match="not for the generated ones"):
        evaluate(folder / "generated", folder / "real", real_clean=folder / "clean")


def test_an_empty_list_is_an_error(folder: Path) -> None:
    with pytest.raises(UserError, match="no generated images"):
        evaluate([], folder / "real")


def test_json_holds_the_numbers_and_nothing_json_cannot_hold(folder: Path) -> None:
    # Equal images: PSNR is infinite, ratios are undefined, most brightness bins are empty.
    result = evaluate(folder / "clean", folder / "clean", folder / "clean")
    loaded = json.loads(json.dumps(to_json(result), allow_nan=False))
    assert loaded["fidelity"]["real_psnr"] is None
    assert loaded["fidelity"]["clean_images"] == 2
    assert loaded["comparison"]["std_ratio"] == [None, None, None]
    differing = evaluate(folder / "generated", folder / "real", folder / "clean")
    loaded = json.loads(json.dumps(to_json(differing), allow_nan=False))
    assert loaded["against_clean"] is True
    assert loaded["real"]["std"] == differing.real.std.tolist()
    assert loaded["generated"]["autocorrelation"] == differing.generated.autocorrelation.tolist()
    assert np.array(loaded["real"]["histogram"]).shape == (3, 255)
    assert loaded["comparison"]["kl"] == differing.kl
    assert loaded["comparison"]["conditional_kl_ratio"] == differing.conditional_kl_ratio


def test_the_table_is_aligned_and_in_grey_levels(folder: Path) -> None:
    result = evaluate(folder / "generated", folder / "real", folder / "clean")
    lines = table(result).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    header = next(line for line in lines if "white Gaussian" in line)
    ends = [header.index(title) + len(title) for title in ("real", "generated", "white Gaussian", "vs real")]
    row = next(line for line in lines if line.startswith("std, channels together"))
    cells = [row[start:end].strip() for start, end in zip([22, *ends[:-1]], ends, strict=True)]
    assert float(cells[0]) == pytest.approx(255 * result.real.overall_std, abs=0.005)
    assert float(cells[1]) == pytest.approx(255 * result.generated.overall_std, abs=0.005)
    assert cells[2] == cells[0]
    assert cells[3] == f"x {result.overall_std_ratio:.3f}"
    assert any(line.startswith("PSNR") for line in lines)


def test_the_table_dashes_what_was_not_measured(tmp_path: Path) -> None:
    write_image(tmp_path / "flat" / "a.png", torch.full((3, 12, 12), 0.2))
    write_image(tmp_path / "bright" / "b.png", torch.full((3, 12, 12), 0.8))
    text = table(evaluate(tmp_path / "flat", tmp_path / "bright"))
    assert "nan" not in text
    assert "smoothed" in text
    assert "PSNR" not in text
    row = next(line for line in text.splitlines() if line.startswith("autocorrelation, 1 right "))
    assert row.split()[-4:] == ["-", "-", "0.000", "-"]
