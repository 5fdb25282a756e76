from pathlib import Path

import numpy as np
import pytest

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.images.image_files import write_image
from tests.flowkit_deflow.evaluation.residuals import noise_like, unclipped_photograph


def test_real_images_may_have_clean_partners_of_their_own(folder: Path, tmp_path: Path) -> None:
    image = unclipped_photograph("coffee")
    write_image(tmp_path / "others" / "noisy" / "coffee.png", image + 0.04 * noise_like(image, 5))
    write_image(tmp_path / "others" / "clean" / "coffee.png", image)
    result = evaluate(
        folder / "generated", tmp_path / "others" / "noisy", folder / "clean", tmp_path / "others" / "clean"
    )
    assert result.values["real"]["images"] == 1
    assert result.values["comparison"]["overall_std_ratio"] == pytest.approx(0.5, rel=0.03)
    assert "fidelity" not in result.values


def test_lists_of_files_are_matched_by_stem_and_the_full_name_goes_first(tmp_path: Path) -> None:
    image = unclipped_photograph("rocket")
    for name, brightness in (("view", 0.0), ("view_s1", 0.1)):
        write_image(tmp_path / "clean" / f"{name}.png", image + brightness)
    write_image(tmp_path / "made" / "view_s0.png", image)
    write_image(tmp_path / "made" / "view_s1.png", image + 0.1)
    write_image(tmp_path / "made" / "view_s1_s7.png", image + 0.1)
    made = sorted((tmp_path / "made").iterdir())
    clean = sorted((tmp_path / "clean").iterdir())
    result = evaluate(made, made[:1], clean)
    np.testing.assert_array_equal(result.values["generated"]["std"], 0)
    np.testing.assert_array_equal(result.values["generated"]["mean"], 0)
    assert np.isnan(result.values["comparison"]["std_ratio"]).all()


def test_a_missing_clean_partner_is_an_error_before_anything_is_read(folder: Path) -> None:
    write_image(folder / "generated" / "stranger_s0.png", unclipped_photograph("coffee"))
    (folder / "real" / "astronaut.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"generated image '.*stranger_s0\.png' has no clean partner.*'stranger'"):
        evaluate(folder / "generated", folder / "real", folder / "clean", strict=True)


def test_a_real_image_without_clean_partner_is_an_error(folder: Path) -> None:
    write_image(folder / "real" / "chelsea.png", unclipped_photograph("chelsea"))
    with pytest.raises(UserError, match=r"real image '.*real/chelsea\.png' has no clean partner"):
        evaluate(folder / "generated", folder / "real", folder / "clean")


def test_two_clean_images_of_one_name_are_an_error(folder: Path) -> None:
    write_image(folder / "clean" / "astronaut.bmp", unclipped_photograph("astronaut"))
    with pytest.raises(UserError, match=r"'astronaut'.*astronaut\.bmp.*astronaut\.png"):
        evaluate(folder / "generated", folder / "real", folder / "clean")


def test_clean_partners_for_the_real_images_alone_are_an_error(folder: Path) -> None:
    with pytest.raises(UserError, match="not for the generated ones"):
        evaluate(folder / "generated", folder / "real", real_clean=folder / "clean")


def test_an_empty_list_is_an_error(folder: Path) -> None:
    with pytest.raises(UserError, match="no generated images"):
        evaluate([], folder / "real")
