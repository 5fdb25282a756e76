"""``deflow restorer``, from two folders to restored photographs and their scores."""

import json
from pathlib import Path

import pytest

from flowkit_deflow.images.image_files import image_size
from tests.flowkit_deflow.conftest import Command, Photos


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restorer") / "run"


def test_one_command_learns_the_degradation_and_the_restorer(
    deflow: Command, photos: Photos, run_folder: Path, tmp_path: Path
) -> None:
    folders = ["--clean", photos.clean, "--degraded", photos.noisy, "--scale", 1]
    presets = ["--preset", "tiny", "--degrader-preset", "tiny", "--set", "accelerator=cpu"]
    ended = deflow("restorer", "train", *folders, *presets, "--out", run_folder)
    assert ended.status == 0, ended.err
    assert (run_folder / "degrader" / "model" / "config.json").exists()
    assert f"deflow restorer apply {run_folder} PHOTOS OUT" in ended.out
    assert deflow("info", run_folder).out.startswith(f"{run_folder / 'model'}: Restorer, ")
    before = (run_folder / "model" / "model.safetensors").read_bytes()
    # Given again, there is nothing left to do.
    assert deflow("restorer", "train", *folders, *presets, "--out", run_folder).status == 0
    assert (run_folder / "model" / "model.safetensors").read_bytes() == before

    ended = deflow("restorer", "apply", run_folder, photos.noisy, tmp_path / "out", "--device", "cpu", "--tile", 16)
    assert ended.status == 0, ended.err
    made = sorted(file.relative_to(tmp_path / "out") for file in (tmp_path / "out").rglob("*.png"))
    assert made == sorted(file.relative_to(photos.noisy) for file in photos.noisy.rglob("*.png"))

    evaluate = ["restorer", "evaluate", run_folder, photos.noisy, "--clean", photos.clean, "--metric", "psnr"]
    ended = deflow(*evaluate, "--out", tmp_path / "judged", "--device", "cpu")
    assert ended.status == 0, ended.err
    record = json.loads((tmp_path / "judged" / "scores.json").read_text())
    assert len(record["psnr"]["values"]) == len(made)
    (tmp_path / "judged" / "images" / "astronaut_0.png").rename(tmp_path / "judged" / "images" / "other.png")
    ended = deflow(*evaluate, "--out", tmp_path / "judged", "--device", "cpu")
    assert (ended.status, "holds images of other sources, like other.png" in ended.err) == (2, True)


def test_a_degrader_at_hand_is_used(deflow: Command, photos: Photos, model_folder: Path, tmp_path: Path) -> None:
    arguments = ["--clean", photos.clean, "--degrader", model_folder, "--scale", 2, "--preset", "tiny"]
    ended = deflow("restorer", "train", *arguments, "--set", "accelerator=cpu", "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    (source,) = photos.noisy.glob("coffee_0.png")
    ended = deflow("restorer", "apply", tmp_path / "run", source, tmp_path / "large.png", "--device", "cpu")
    assert ended.status == 0, ended.err
    assert image_size(tmp_path / "large.png") == tuple(2 * side for side in image_size(source))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--degrader", "a", "--degraded", "b"], "--degrader a and --degraded b were both given"),
        (["--preset", "smal"], "restorer preset 'smal' is unknown; did you mean 'small'?"),
        (["--clean", "no/such", "--degraded", "no/such"], "no/such"),
        (["--set", "crop=30"], "crop is 30 and scale 4"),
    ],
)
def test_a_mistake_is_one_line(deflow: Command, tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = deflow("restorer", "train", "--out", tmp_path / "run", *arguments)
    assert ended.status == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
