"""Metrics of folders, from Python and as ``deflow metrics``."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.psnr import psnr
from flowkit_deflow.evaluation.metrics.registry import METRICS, named_metrics
from flowkit_deflow.evaluation.metrics.scores import mean_interval, score_images
from flowkit_deflow.images.image_files import read_image, write_image
from tests.flowkit_deflow.conftest import Command, Photos

NOWHERE = MetricFiles(Path("no/such"))


def blurred(image: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)


@pytest.fixture(scope="module")
def restored(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restored")
    for file in sorted(photos.clean.rglob("*.png")):
        write_image(folder / file.relative_to(photos.clean), blurred(read_image(file)))
    return folder


class TestInterval:
    @given(st.lists(st.floats(-100, 100), min_size=5, max_size=30))
    def test_it_lies_within_the_values_and_holds_their_mean(self, values: list[float]) -> None:
        low, high = mean_interval(values) or (0.0, 0.0)
        assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
        assert low - 1e-9 <= np.mean(values) <= high + 1e-9 or np.ptp(values) > 0

    def test_it_covers_the_mean_of_a_normal_sample(self) -> None:
        # 1.96 standard errors of 400 values, within what 2,000 draws leave open.
        values = np.random.default_rng(0).normal(size=400)
        low, high = mean_interval(list(values)) or (0.0, 0.0)
        assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.08)


def test_identical_images_are_counted_and_left_out_of_the_mean(
    deflow: Command, restored: Path, photos: Photos, tmp_path: Path
) -> None:
    made = shutil.copytree(restored, tmp_path / "made")
    shutil.copy(photos.clean / "coffee_0.png", made / "coffee_0.png")
    ended = deflow("metrics", made, "--reference", photos.clean, "--metric", "psnr", "--out", tmp_path / "scores.json")
    assert ended.status == 0, ended.err
    assert "1 identical, left out of the mean of PSNR of RGB [dB]" in ended.out
    record = json.loads((tmp_path / "scores.json").read_text())["psnr"]
    others = [value for value in record["values"].values() if value is not None]
    assert (len(others), record["identical"]) == (7, 1)
    assert record["mean"] == pytest.approx(np.mean(others))
    assert record["low"] < record["mean"] < record["high"]
    ended = deflow("metrics", photos.clean, "--reference", photos.clean, "--metric", "psnr")
    assert (ended.status, "8 identical" in ended.out) == (0, True)


def test_the_mean_is_that_of_the_scenes(tmp_path: Path) -> None:
    # Two samples of one scene weigh as much as one of the other.
    levels = {"a_s0": 0.1, "a_s1": 0.2, "b": 0.4}
    for name, level in levels.items():
        write_image(tmp_path / "made" / f"{name}.png", torch.full((3, 12, 12), level))
    for name in ("a", "b"):
        write_image(tmp_path / "real" / f"{name}.png", torch.zeros(3, 12, 12))
    (scores,) = score_images(tmp_path / "made", tmp_path / "real", [METRICS["psnr"]], NOWHERE).scores
    a0, a1, b = (-20 * np.log10(round(255 * level) / 255) for level in levels.values())
    assert scores.mean == pytest.approx(((a0 + a1) / 2 + b) / 2)
    assert len(scores.values) == 3


def test_a_border_is_cut_off_and_named(tmp_path: Path) -> None:
    image = torch.zeros(3, 20, 20)
    image[:, :2] = 1
    write_image(tmp_path / "made" / "a.png", image)
    write_image(tmp_path / "real" / "a.png", torch.full((3, 20, 20), 0.2))
    (scores,) = score_images(tmp_path / "made", tmp_path / "real", [METRICS["psnr"]], NOWHERE, border=2).scores
    assert scores.mean == pytest.approx(-20 * np.log10(0.2))
    assert scores.name == "PSNR of RGB [dB], border of 2 cut"


def test_a_reference_of_another_size_is_told(tmp_path: Path) -> None:
    write_image(tmp_path / "made" / "a.png", torch.zeros(3, 20, 20))
    write_image(tmp_path / "real" / "a.png", torch.zeros(3, 20, 24))
    with pytest.raises(UserError, match=r"20 x 20 pixels, its reference .* 24 x 20; give references of the same size"):
        score_images(tmp_path / "made", tmp_path / "real", [METRICS["psnr"]], NOWHERE)


def test_an_image_that_is_too_small_is_told_of_once_with_its_size(tmp_path: Path) -> None:
    for folder in ("images", "references"):
        write_image(tmp_path / folder / "large.png", torch.rand(3, 40, 40))
        write_image(tmp_path / folder / "small.png", torch.rand(3, 20, 30))
    chosen = named_metrics(["psnr", "ssim", "ssim-y"])
    judged = score_images(tmp_path / "images", tmp_path / "references", chosen, NOWHERE, border=6)
    (problem,) = judged.problems
    assert problem.startswith(str(tmp_path / "images" / "small.png"))
    assert problem.count("cannot measure it") == 2
    assert "30 x 20 pixels, of which a border of 6 is cut off, where 11 on each side are needed" in problem
    assert [len(scores.values) for scores in judged.scores] == [2, 1, 1]


def test_an_image_of_one_block_is_too_small_for_niqe(tmp_path: Path) -> None:
    write_image(tmp_path / "image.png", torch.rand(3, 96, 150))
    # Without its published file: the size is looked at first.
    niqe = replace(METRICS["niqe"], load=METRICS["piqe"].load)
    with pytest.raises(UserError, match="150 x 96 pixels, where 96 on each side and 192 on the longer one are needed"):
        score_images(tmp_path, None, [niqe], NOWHERE)


def test_an_unknown_metric_is_told() -> None:
    with pytest.raises(UserError, match="metric 'fid' is unknown; there are: psnr"):
        named_metrics(["fid"])


class TestCommand:
    def test_a_table_and_a_file(self, deflow: Command, restored: Path, photos: Photos, tmp_path: Path) -> None:
        out = tmp_path / "scores.json"
        arguments = ["--reference", photos.clean, "--metric", "psnr", "--metric", "ssim-y", "--out", out]
        ended = deflow("metrics", restored, *arguments, "--device", "cpu")
        assert ended.status == 0, ended.err
        record = json.loads(out.read_text())
        assert list(record) == ["psnr", "ssim-y"]
        values = record["psnr"]["values"]
        expected = {
            file.relative_to(photos.clean).as_posix(): float(
                psnr(read_image(restored / file.relative_to(photos.clean))[None], read_image(file)[None])
            )
            for file in photos.clean.rglob("*.png")
        }
        assert values == pytest.approx(expected)
        assert record["psnr"]["low"] < record["psnr"]["mean"] < record["psnr"]["high"]
        assert "PSNR of RGB [dB] (higher is better)" in ended.out
        assert "SSIM (luma, 11 x 11 Gaussian window) (higher is better)" in ended.out

    def test_metrics_without_their_files_are_left_out_and_named(
        self, deflow: Command, photos: Photos, tmp_path: Path
    ) -> None:
        ended = deflow("metrics", photos.noisy, "--metric-files", tmp_path, "--device", "cpu")
        assert ended.status == 0, ended.err
        assert "PIQE (lower is better)" in ended.out
        assert "NIQE" not in ended.out
        assert f"NIQE needs the published file 'niqe/modelparameters.mat', which is not in {tmp_path}" in ended.err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--metric", "psnr"], "metric 'psnr' compares with references; name their folder with --reference"),
            (["--metric", "lpips-alex", "--reference", "."], "LPIPS needs the published file 'lpips_alex.safetensors'"),
            (["--metric", "lpips-alex", "--reference", "."], "or have deflow metrics IMAGES --download get its parts"),
            (["--metric", "fid"], "metric 'fid' is unknown"),
        ],
    )
    def test_a_mistake_is_one_line(
        self, deflow: Command, photos: Photos, tmp_path: Path, arguments: list[str], message: str
    ) -> None:
        ended = deflow("metrics", photos.clean, "--metric-files", tmp_path, *arguments)
        assert ended.status == 2
        assert message in ended.err
        assert ended.err.count("\n") == 1
