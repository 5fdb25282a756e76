"""``deflow restorer``, from two folders to restored photographs and their scores."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from flowkit_deflow.images.image_files import image_size
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.training.lightning_module import DeFlowTraining
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
    # Of an image that fails now, nothing that was restored before is judged.
    damaged = tmp_path / "damaged"
    shutil.copytree(photos.noisy, damaged)
    (damaged / "astronaut_0.png").write_bytes(b"no image")
    again = ["restorer", "evaluate", run_folder, damaged, "--clean", photos.clean, "--metric", "psnr"]
    ended = deflow(*again, "--out", tmp_path / "judged", "--device", "cpu")
    assert "astronaut_0.png" in ended.err
    record = json.loads((tmp_path / "judged" / "scores.json").read_text())
    assert len(record["psnr"]["values"]) == len(made) - 1
    ended = deflow(*evaluate, "--out", tmp_path / "judged", "--device", "cpu")
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
        (["--degrader", ".", "--degraded", "b"], "--degrader . and --degraded b were both given"),
        (["--degrader", "a", "--degraded", "b"], "--degrader a: is neither a folder nor a kind that can be learned"),
        (["--preset", "smal"], "restorer preset 'smal' is unknown; did you mean 'small'?"),
        (["--clean", "no/such", "--degraded", "no/such"], "no/such"),
        (["--set", "crop=30"], "crop is 30 and scale 4"),
        (["--pairs", "--degraded", "b", "--degrader", "white"], "--pairs and --degrader white were both given"),
        (["--pairs", "--degraded", "b", "--degrader-preset", "aim"], "--pairs and --degrader-preset aim were both"),
        (["--degrader", ".", "--degrader-preset", "aim"], "--degrader-preset aim: . is a degrader that is there"),
        (["--set", "data.degraded=b", "--degrader", "white"], "--degrader white: no degrader is learned, the settings"),
        (["--set", "data.degrader=a", "--degraded", "b"], "--degraded b: no degrader is learned, the settings name a"),
    ],
)
def test_a_mistake_is_one_line(deflow: Command, tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = deflow("restorer", "train", "--out", tmp_path / "run", *arguments)
    assert ended.status == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.fixture
def begun(deflow: Command, photos: Photos, tmp_path: Path) -> Path:
    """A run that learned white noise for itself, on a copy of the photographs."""
    shutil.copytree(photos.clean, tmp_path / "clean")
    arguments = ["--clean", tmp_path / "clean", "--degraded", photos.noisy, "--degrader", "white", "--scale", 2]
    quick = ["--preset", "tiny", "--set", "accelerator=cpu", "--set", "halve_at=[]", "--steps", 2]
    ended = deflow("restorer", "train", *arguments, *quick, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert "Take care: There are 8 clean images." in ended.out
    return tmp_path / "run"


def test_a_run_goes_on_alone_longer_moved_and_with_other_settings_of_speed(
    deflow: Command, begun: Path, tmp_path: Path
) -> None:
    assert "Going on from step 2 of 2." in deflow("restorer", "train", "--out", begun).out
    refused = deflow("restorer", "train", "--out", begun, "--set", "data.crop=32", "--set", "batch=3")
    assert refused.status == 2
    assert "data.crop was 16, now 32; training.batch was 2, now 3" in refused.err
    moved = begun.rename(tmp_path / "moved")
    clean = (tmp_path / "clean").rename(tmp_path / "elsewhere")
    longer = deflow(
        "restorer", "train", "--out", moved, "--clean", clean, "--steps", 3, "--set", "training.log_every=2"
    )
    assert longer.status == 0, longer.err
    assert "Going on from step 2 of 3." in longer.out
    assert "training.log_every was 1, now 2" in longer.out
    assert (moved / "log" / "scalars.csv").read_text().startswith("step,")
    assert "training.log_every" in (moved / "changes.yaml").read_text()
    (clean / "another.png").write_bytes((clean / "coffee_0.png").read_bytes())
    other = deflow("restorer", "train", "--out", moved)
    assert (other.status, "'data.clean': these files are not those" in other.err) == (2, True)


def test_a_folder_takes_runs_of_one_kind(deflow: Command, photos: Photos, begun: Path, trained: Path) -> None:
    folders = ["--clean", photos.clean, "--degraded", photos.noisy]
    before = (trained / "model" / "config.json").read_bytes()
    for command in (["train"], ["train", "--degrader", "white"], ["restorer", "train", "--degrader", "none"]):
        out = begun if command == ["train"] else trained
        ended = deflow(*command, *folders[: 2 if "none" in command else 4], "--out", out)
        assert ended.status == 2
        assert f"{out}: holds a run of another kind, whose settings are in" in ended.err
    assert (trained / "model" / "config.json").read_bytes() == before


def test_stopped_while_the_degrader_is_learned_it_goes_on_alone(
    deflow: Command, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = DeFlowTraining.training_step

    def stopping(self: DeFlowTraining, *arguments: Any) -> Any:
        if self.trainer.global_step == 2:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(DeFlowTraining, "training_step", stopping)
    folders = ["--clean", photos.clean, "--degraded", photos.noisy, "--scale", 1]
    presets = ["--preset", "tiny", "--degrader-preset", "tiny", "--set", "accelerator=cpu"]
    out = tmp_path / "run"
    assert deflow("restorer", "train", *folders, *presets, "--out", out).status == 130
    monkeypatch.undo()
    settings = (out / "restorer.yaml").read_bytes()
    other = ["--degrader-preset", "small", "--set", "data.crop=24"]
    refused = deflow("restorer", "train", *folders, *presets[:2], *other, "--out", out)
    assert (refused.status, "holds a run with other settings" in refused.err) == (2, True)
    assert (out / "restorer.yaml").read_bytes() == settings
    ended = deflow("restorer", "train", "--out", out)
    assert ended.status == 0, ended.err
    assert "Going on from step 2 of" in ended.out
    assert (out / "model" / "config.json").exists()


def test_the_restorers_settings_are_checked_before_a_degrader_is_learned(
    deflow: Command, photos: Photos, tmp_path: Path
) -> None:
    folders = ["--clean", photos.clean, "--degraded", photos.noisy, "--preset", "tiny", "--set", "data.crop=4000"]
    ended = deflow("restorer", "train", *folders, "--out", tmp_path / "run")
    assert (ended.status, "too few for crops of 4000" in ended.err) == (2, True)
    assert not (tmp_path / "run").exists()


def test_a_seed_is_that_of_the_degrader_too(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    folders = ["--clean", photos.clean, "--degraded", photos.noisy, "--scale", 1, "--preset", "tiny", "--seed", 5]
    machine = ["--set", "training.accelerator=cpu", "--steps", 2]
    ended = deflow("restorer", "train", *folders, *machine, "--degrader", "impressionism", "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    assert "seed: 5" in (tmp_path / "run" / "degrader" / "degrader.yaml").read_text()


def test_a_map_that_the_degrader_will_lack_is_told_before_it_is_learned(
    deflow: Command, photos: Photos, tmp_path: Path
) -> None:
    folders = ["--clean", photos.clean, "--degraded", photos.noisy, "--scale", 1, "--preset", "tiny"]
    ended = deflow("restorer", "train", *folders, "--set", "losses.domain_weighted=true", "--out", tmp_path / "run")
    assert (ended.status, "a degrader of the kind deflow has none" in ended.err) == (2, True), ended.err
    assert not (tmp_path / "run").exists()


def test_a_metric_without_its_file_is_told_before_images_are_restored(
    deflow: Command, photos: Photos, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFLOW_METRICS", str(tmp_path))
    ended = deflow("restorer", "evaluate", begun, photos.noisy, "--metric", "niqe", "--out", tmp_path / "judged")
    assert ended.status == 2, ended.err
    assert not (tmp_path / "judged").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no folder of degraded images was given"),
        (["--degraded", "no/such", "--degrader", "white"], "no/such"),
        (["--degraded", ".", "--degrader-preset", "aim"], "too few for crops"),
        (["--degrader", ".", "--set", "training.accelerator=abacus"], "training.accelerator=abacus"),
    ],
)
def test_nothing_is_left_of_a_run_that_never_began(
    deflow: Command, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(photos.noisy)
    begin = ["restorer", "train", "--clean", photos.clean, "--scale", 1, "--preset", "tiny", "--out", tmp_path / "run"]
    ended = deflow(*begin, *arguments)
    assert (ended.status, message in ended.err) == (2, True), ended.err
    assert not (tmp_path / "run").exists()


def test_partners_that_do_not_fit_are_told_before_images_are_restored(
    deflow: Command, photos: Photos, begun: Path, tmp_path: Path
) -> None:
    ended = deflow("restorer", "evaluate", begun, photos.noisy, "--clean", photos.clean, "--out", tmp_path / "judged")
    assert (ended.status, "will have 112 x 80 when it is restored at scale 2" in ended.err) == (2, True)
    assert not (tmp_path / "judged").exists()


def test_results_take_the_formats_of_the_other_commands(deflow: Command, begun: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((24, 20, 3), np.uint8)).save(tmp_path / "a.jpg")
    options = ["--bit-depth", 16, "--format", "tif", "--keep-suffix", "--shard", "1/1", "--device", "cpu"]
    ended = deflow("restorer", "apply", begun, tmp_path / "a.jpg", tmp_path / "out", *options)
    assert ended.status == 0, ended.err
    assert tifffile.imread(tmp_path / "out" / "a.jpg.tif").dtype == np.uint16


def test_what_is_in_memory_besides_a_large_image_is_a_tile(begun: Path) -> None:
    restorer = Restorer.from_pretrained(begun)
    image = torch.randint(256, (1, 3, 61, 53), dtype=torch.uint8)
    shapes: list[torch.Size] = []
    restorer.network.register_forward_pre_hook(lambda _, images: shapes.append(images[0].shape))
    pieces = list(restorer.pieces(image, tile=16))
    margin, alignment = restorer.network.margin, restorer.network.alignment
    assert max(max(shape[-2:]) for shape in shapes) <= 16 + 2 * (margin + alignment)
    whole = restorer.restore(image / 255, tile=16)
    for piece in pieces:
        top, left, height, width = piece.window
        assert torch.equal(piece.pixels, whole[..., top : top + height, left : left + width])
