"""Without pairs: what figures are read between, and that they rank as pairs do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import Evaluation, evaluate
from flowkit_deflow.evaluation.json_record import to_json
from flowkit_deflow.evaluation.quantities.appearance import APPEARANCE
from flowkit_deflow.evaluation.quantities.counts import COUNTS
from flowkit_deflow.evaluation.quantities.flat_patches import FLAT_PATCHES
from flowkit_deflow.evaluation.quantities.patch_roughness import PATCH_ROUGHNESS
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.images.image_files import write_image
from tests.flowkit_deflow.evaluation.residuals import photograph, white_noise

WITHOUT_PARTNERS = (*COUNTS, *FLAT_PATCHES, *PATCH_ROUGHNESS, *APPEARANCE)
SIDE = 128
STD = 0.04


def crops() -> list[Tensor]:
    """Sixteen crops of four photographs, alternately for the real and for the clean set."""
    return [
        photograph(name)[:, top : top + SIDE, left : left + SIDE].double() * 0.8 + 0.1
        for name in ("astronaut", "chelsea", "coffee", "rocket")
        for top in (0, 160)
        for left in (0, 160)
    ]


def coarse(seed: int) -> Tensor:
    """Noise of deviation 1 whose grain spans three pixels, alike in all channels by half."""
    noise = white_noise(4, SIDE, SIDE, seed=seed)
    smooth = F.avg_pool2d(noise, 3, stride=1, padding=1)
    smooth = smooth / smooth.std()
    return (smooth[:3] + smooth[3:]) / 2**0.5


def real_process(image: Tensor, seed: int) -> Tensor:
    return STD * (0.5 + image.mean(0)) * coarse(seed)


CANDIDATES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "clean": lambda image, seed: torch.zeros_like(image),
    "weak white": lambda image, seed: STD / 2 * white_noise(*image.shape, seed=seed),
    "white": lambda image, seed: STD * white_noise(*image.shape, seed=seed),
    "coarse": lambda image, seed: STD * coarse(seed),
    "real process": real_process,
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evaluation]:
    root = tmp_path_factory.mktemp("candidates")
    for index, image in enumerate(crops()):
        if index % 2:
            write_image(root / "real" / f"{index}.png", image + real_process(image, index))
            continue
        write_image(root / "source" / f"{index}.png", image)
        for name, noise in CANDIDATES.items():
            write_image(root / name / f"{index}_s0.png", image + noise(image, 100 + index))
    return {
        name: evaluate(root / name, root / "real", source=root / "source", quantities=WITHOUT_PARTNERS)
        for name in CANDIDATES
    }


def test_the_distance_ranks_as_pairs_would(judged: dict[str, Evaluation]) -> None:
    distance = {name: result.values["comparison"]["appearance_distance"] for name, result in judged.items()}
    assert distance["clean"] > distance["weak white"] > distance["coarse"]
    assert distance["weak white"] > distance["white"] > distance["real process"]
    assert distance["white"] > 1.5 * distance["coarse"]


def test_the_floor_is_the_clean_images_and_the_ceiling_a_half_of_the_real_ones(judged: dict[str, Evaluation]) -> None:
    floors = {result.values["comparison"]["floor_appearance_distance"] for result in judged.values()}
    assert floors == {judged["clean"].values["comparison"]["appearance_distance"]}
    for name, result in judged.items():
        comparison = result.values["comparison"]
        assert comparison["ceiling_appearance_distance"] < comparison["floor_appearance_distance"] / 3
        if name != "clean":
            assert comparison["appearance_distance"] < comparison["floor_appearance_distance"]
    record = to_json(judged["white"])
    assert record["floor"]["images"] == 8
    assert record["ceiling"]["images"] == 4


def test_the_table_has_both_columns_and_says_what_cannot_be_concluded(judged: dict[str, Evaluation]) -> None:
    table = format_table(judged["real process"])
    assert "half of real" in table
    assert "Without pairs" in table
    (row,) = [line for line in table.splitlines() if line.startswith("DISTANCE")]
    assert len(row.split()[-4:]) == 4


def test_a_source_beside_clean_partners_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="give one of the two"):
        evaluate(folder / "generated", folder / "real", folder / "clean", source=folder / "clean")


def test_a_single_real_image_has_no_half(tmp_path: Path) -> None:
    image = crops()[0]
    write_image(tmp_path / "a.png", image)
    result = evaluate([tmp_path / "a.png"], [tmp_path / "a.png"])
    assert [images.key for images in result.sets.columns] == ["real", "generated", "white"]
    assert result.values["comparison"]["appearance_distance"] == 0
