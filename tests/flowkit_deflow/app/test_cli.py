"""The command as a user runs it."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from skimage import data

import flowkit_deflow
from flowkit_deflow.app import cli
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.image_files import list_images, read_image, write_image
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import to_yaml
from flowkit_deflow.weights.published import published_shapes
from tests.flowkit_deflow.conftest import HEIGHT, WIDTH, Command, Ended, Photos

COMMANDS = [
    "train",
    "config",
    "degrade",
    "restore",
    "sample",
    "pairs",
    "evaluate",
    "infer-shift",
    "convert",
    "info",
    "downsample",
    "demo",
]


def names(folder: Path) -> set[str]:
    """Every file but the records of results."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {path.relative_to(folder).as_posix() for path in files}


def test_the_whole_way(
    deflow: Command,
    deflow_process: Callable[..., Ended],
    photos: Photos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Train, degrade, restore, sample, evaluate, convert there and back, info, downsample."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, by: Callable[..., Ended] = deflow) -> str:
        ended = by(*arguments)
        assert ended.status == 0, ended.err
        # Progress goes to the terminal alone, and the libraries' notes are not the user's concern.
        assert ended.err == ""
        return ended.out

    told = run(
        "train",
        "--clean",
        photos.clean,
        "--degraded",
        photos.noisy,
        "--preset",
        "tiny",
        "--out",
        "run",
        *("--set", "architecture.scale=sigmoid"),
        by=deflow_process,
    )
    assert "The model is in run/model" in told
    assert {"run.yaml", "model/config.json", "model/model.safetensors", "checkpoints/last.ckpt"} <= names(
        tmp_path / "run"
    )

    expected = {path.relative_to(photos.clean).as_posix() for path in list_images(photos.clean)}
    assert "8 images done; results in degraded" in run(
        "degrade", "run/model", photos.clean, "degraded", by=deflow_process
    )
    assert names(tmp_path / "degraded") == expected
    for name in expected:
        degraded, clean = read_image(tmp_path / "degraded" / name), read_image(photos.clean / name)
        assert degraded.shape == clean.shape
        assert not torch.equal(degraded, clean)
    before = {name: (tmp_path / "degraded" / name).stat().st_mtime_ns for name in expected}
    assert "0 images done, 8 were there already" in run("degrade", "run/model", photos.clean, "degraded")
    assert {name: (tmp_path / "degraded" / name).stat().st_mtime_ns for name in expected} == before

    run("restore", "run/model", photos.noisy, "restored", "--mean", "--samples", 2, "--format", "jpg")
    stems = [name.removesuffix(".png") for name in expected]
    assert names(tmp_path / "restored") == {f"{stem}_{end}.jpg" for stem in stems for end in ("s0", "s1", "mean")}

    run("sample", "run/model", photos.clean / "coffee_0.png", "sampled.png", "--domain", "clean", "--seed", 3)
    assert read_image(tmp_path / "sampled.png").shape == (3, HEIGHT, WIDTH)

    table = run("evaluate", "degraded", photos.noisy, "--out", "evaluation", by=deflow_process)
    assert "Written to evaluation: evaluation.json" in table
    assert json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert len(list((tmp_path / "evaluation").glob("*.png"))) >= 1

    run("convert", "run/model", "published.pth")
    run("convert", "published.pth", "again", "--config", "run/run.yaml")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "run" / "model" / file).read_bytes()
    state = torch.load(tmp_path / "published.pth", weights_only=True)
    model = DeFlow.from_pretrained(tmp_path / "again")
    assert {key: tuple(value.shape) for key, value in state.items()} == published_shapes(model.bijector, model.latents)

    for path in ("run", "run/model"):
        told = run("info", path)
        assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in told
        assert "multiples of 4 pixels" in told
        assert yaml.safe_load(told[told.index("factor:") :])["hidden_channels"] == 8
    assert f"{len(state)} tensors" in run("info", "published.pth")

    run("downsample", photos.clean, "small", "--factor", 4, "--factor", 2)
    assert names(tmp_path / "small") == {f"{number}x/{name}" for number in (2, 4) for name in expected}
    # 8-bit files: half a step of rounding.
    torch.testing.assert_close(
        read_image(tmp_path / "small" / "4x" / "more" / "rocket_1.png"),
        bicubic_downsample(read_image(photos.clean / "more" / "rocket_1.png"), 4).clamp(0, 1),
        atol=0.5 / 255 + 1e-6,
        rtol=0,
    )


def test_help_of_the_program_and_of_every_command(deflow: Command, deflow_process: Callable[..., Ended]) -> None:
    told = deflow_process("--help")
    assert told.status == 0
    assert told.err == ""
    for command in COMMANDS:
        assert f"\n  {command} " in told.out
        own = deflow(command, "--help")
        assert own.status == 0
        assert "Usage: deflow" in own.out
        assert "--help" in own.out


def test_help_does_not_wait_for_torch(run_python: Callable[..., Ended]) -> None:
    script = (
        "import sys; sys.argv = ['deflow', '--help']\n"
        "from flowkit_deflow.app import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print('pytorch_lightning' in sys.modules, 'matplotlib' in sys.modules, 'scipy' in sys.modules)"
    )
    assert run_python(["-c", script]).out.splitlines()[-1] == "False False False"


def test_version(deflow: Command) -> None:
    assert deflow("--version").out == f"deflow {flowkit_deflow.__version__}\n"


def test_a_shell_completes_commands(deflow: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the script of --install-completion asks.
    for name, value in (("_DEFLOW_COMPLETE", "complete_bash"), ("COMP_WORDS", "deflow de"), ("COMP_CWORD", "1")):
        monkeypatch.setenv(name, value)
    assert deflow().out.split() == ["degrade", "demo"]


def test_a_run_stands_for_its_model(deflow: Command, trained: Path, photos: Photos, tmp_path: Path) -> None:
    source = photos.clean / "coffee_0.png"
    for model, out in ((trained, "run.png"), (trained / "model", "model.png")):
        assert deflow("degrade", model, source, tmp_path / out).status == 0
    assert (tmp_path / "run.png").read_bytes() == (tmp_path / "model.png").read_bytes()


def test_info_tells_a_checkpoints_step(deflow: Command, trained: Path) -> None:
    steps = yaml.safe_load((trained / "run.yaml").read_text())["training"]["steps"]
    assert f"of a run after step {steps}" in deflow("info", trained / "checkpoints" / "last.ckpt").out


def test_convert_replaces_on_request(deflow: Command, trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "checkpoints" / "last.ckpt"
    assert deflow("convert", checkpoint, tmp_path / "model").status == 0
    assert deflow("convert", checkpoint, tmp_path / "model").status == 2
    assert deflow("convert", checkpoint, tmp_path / "model", "--overwrite").status == 0


class TestTrain:
    def test_settings_from_a_file_and_the_command_line(
        self, deflow: Command, tiny: Callable[..., Run], tmp_path: Path
    ) -> None:
        (tmp_path / "mine.yaml").write_text(to_yaml(tiny("training.workers=0")))
        ended = deflow(
            *("train", "--config", tmp_path / "mine.yaml", "--out", tmp_path / "run", "--seed", 7, "--steps", 2),
            *("--set", "warmup=3", "--set", "architecture.shift=uncorrelated"),
        )
        assert ended.status == 0, ended.err
        written = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
        assert [written["training"][name] for name in ("seed", "steps", "warmup", "batch")] == [7, 2, 3, 4]
        assert written["architecture"]["shift"] == "uncorrelated"

    def test_a_folder_may_be_called_anything(self, deflow: Command, photos: Photos, tmp_path: Path) -> None:
        odd = tmp_path / 'a: "b" [c], #d é'
        odd.symlink_to(photos.clean)
        ended = deflow(
            *("train", "--clean", odd, "--degraded", photos.noisy, "--preset", "tiny", "--steps", 1),
            *("--set", "training.workers=0", "--out", tmp_path / "run"),
        )
        assert ended.status == 0, ended.err
        assert yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())["data"]["clean"] == str(odd)


class TestAnyDegrader:
    @pytest.fixture
    def noise_folder(self, tmp_path: Path) -> Path:
        WhiteNoise((0.0, 0.1)).save_pretrained(tmp_path / "noise")
        return tmp_path / "noise"

    def test_degrade(self, deflow: Command, noise_folder: Path, photos: Photos, tmp_path: Path) -> None:
        for out, more in (("one", ()), ("again", ()), ("other", ("--seed", 1)), ("three", ("--samples", 3))):
            ended = deflow("degrade", noise_folder, photos.clean, tmp_path / out, *more)
            assert (ended.status, ended.err) == (0, "")
        name = "chelsea_0.png"
        written = [(tmp_path / out / name).read_bytes() for out in ("one", "again", "other")]
        assert written[0] == written[1] != written[2]
        assert len({(tmp_path / "three" / f"chelsea_0_s{i}.png").read_bytes() for i in range(3)}) == 3
        deflow("degrade", noise_folder, photos.clean / name, tmp_path / "cold.png", "--temperature", 0)
        assert torch.equal(read_image(tmp_path / "cold.png"), read_image(photos.clean / name))

    def test_info(self, deflow: Command, noise_folder: Path) -> None:
        ended = deflow("info", noise_folder)
        assert ended.status == 0
        first, *settings = ended.out.splitlines()
        assert first == f"{noise_folder}: WhiteNoise, 0 parameters"
        assert yaml.safe_load("\n".join(settings)) == {"sigma": [0.0, 0.1]}

    @pytest.mark.parametrize("command", ["restore", "sample"])
    def test_what_deflow_alone_can_do(
        self, deflow: Command, noise_folder: Path, photos: Photos, tmp_path: Path, command: str
    ) -> None:
        ended = deflow(command, noise_folder, photos.clean, tmp_path / "out")
        assert ended.status == 2
        assert "is a model of the kind 'white-noise', expected 'deflow'" in ended.err

    def test_a_folder_of_version_0_1_0(self, deflow: Command, photos: Photos, tmp_path: Path) -> None:
        folder = Path(__file__).parents[2] / "data" / "version_0.1.0" / "deflow"
        assert deflow("degrade", folder, photos.clean / "chelsea_0.png", tmp_path / "a.png").status == 0
        assert deflow("info", folder).out.startswith(f"{folder}: DeFlow, ")


class TestImages:
    @pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50), (1, 9), (41, 7)])
    @pytest.mark.parametrize("command", ["degrade", "restore", "sample"])
    def test_any_size(
        self, deflow: Command, model_folder: Path, tmp_path: Path, command: str, height: int, width: int
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        write_image(tmp_path / "a.png", torch.rand(3, height, width, generator=generator))
        ended = deflow(command, model_folder, tmp_path / "a.png", tmp_path / "out")
        assert ended.status == 0, ended.err
        assert read_image(tmp_path / "out" / "a.png").shape == (3, height, width)

    def test_a_large_image_in_tiles(self, deflow: Command, model_folder: Path, tmp_path: Path) -> None:
        Image.fromarray(data.astronaut()[:301, :402]).save(tmp_path / "large.png")
        for tile in (64, 1000):
            ended = deflow("degrade", model_folder, tmp_path / "large.png", tmp_path / f"{tile}.png", "--tile", tile)
            assert ended.status == 0, ended.err
        tiled, whole = read_image(tmp_path / "64.png"), read_image(tmp_path / "1000.png")
        assert tiled.shape == (3, 301, 402)
        # What a tile does not see beyond its margin changes a pixel by less than a rounding step.
        assert (tiled - whole).abs().max() <= 1 / 255 + 1e-6

    def test_results_say_what_they_are(
        self, deflow: Command, model_folder: Path, photos: Photos, tmp_path: Path
    ) -> None:
        command = ["degrade", model_folder, photos.clean, tmp_path, "--samples", 2, "--seed", 4]
        deflow(*command)
        started, *events = map(json.loads, (tmp_path / "manifest.jsonl").read_text().splitlines())
        assert started["command"] == "degrade"
        assert started["settings"]["seed"] == 4
        assert len(started["model"]) == 64
        assert started["given"][0] == "degrade"
        done = [event for event in events if "done" in event]
        assert sorted(file for event in done for file in event["done"]) == sorted(names(tmp_path))
        assert {Path(event["source"]["path"]) for event in done} == set(list_images(photos.clean))
        assert all(event["seconds"] >= 0 and event["temperature"] == 1.0 for event in done)
        refused = deflow(
            "degrade", model_folder, photos.clean, tmp_path, "--samples", 2, "--seed", 4, "--temperature", 3
        )
        assert refused.status == 2
        assert "temperature was 1.0, is 3.0; give --overwrite" in refused.err

    def test_the_mean_of_samples(self, deflow: Command, model_folder: Path, photos: Photos, tmp_path: Path) -> None:
        source = photos.noisy / "coffee_0.png"
        deflow("restore", model_folder, source, tmp_path, "--samples", 3, "--mean", "--tile", 16)
        samples = torch.stack([read_image(tmp_path / f"coffee_0_s{i}.png") for i in range(3)])
        # Each file is rounded to 8 bits: half a step for the mean, and half a step for the samples' own mean.
        torch.testing.assert_close(
            read_image(tmp_path / "coffee_0_mean.png"), samples.mean(0), atol=1 / 255 + 1e-6, rtol=0
        )

    def test_temperature_0_gives_the_image_back(
        self, deflow: Command, model_folder: Path, photos: Photos, tmp_path: Path
    ) -> None:
        deflow("degrade", model_folder, photos.clean, tmp_path, "--temperature", 0)
        for path in list_images(photos.clean):
            result = read_image(tmp_path / path.relative_to(photos.clean))
            # Encoded and decoded in float32, then rounded to 8 bits: at most one step off.
            assert (result - read_image(path)).abs().max() <= 1 / 255 + 1e-6

    def test_seed_and_temperature_change_the_result(
        self, deflow: Command, model_folder: Path, photos: Photos, tmp_path: Path
    ) -> None:
        source = photos.clean / "chelsea_0.png"
        made = []
        for number, more in enumerate([(), ("--seed", 0), ("--seed", 1), ("--temperature", 0.5), ("--workers", 4)]):
            out = tmp_path / f"{number}.png"
            assert deflow("degrade", model_folder, source, out, *more).status == 0
            made.append(out.read_bytes())
        assert made[0] == made[1] == made[4]
        assert len({made[0], made[2], made[3]}) == 3

    def test_the_first_sample_is_what_one_version_would_be(
        self, deflow: Command, model_folder: Path, photos: Photos, tmp_path: Path
    ) -> None:
        source = photos.clean / "chelsea_0.png"
        deflow("degrade", model_folder, source, tmp_path / "one")
        deflow("degrade", model_folder, source, tmp_path / "many", "--samples", 3)
        assert names(tmp_path / "many") == {f"chelsea_0_s{i}.png" for i in range(3)}
        first = (tmp_path / "many" / "chelsea_0_s0.png").read_bytes()
        assert first == (tmp_path / "one" / "chelsea_0.png").read_bytes()
        assert first != (tmp_path / "many" / "chelsea_0_s1.png").read_bytes()

    @pytest.mark.parametrize("kind", ["CMYK", "palette", "alpha", "grey with alpha", "16 bit", "grey", "1 bit"])
    def test_any_colours(self, deflow: Command, model_folder: Path, photos: Photos, tmp_path: Path, kind: str) -> None:
        image = Image.open(photos.clean / "coffee_0.png")
        mask = Image.linear_gradient("L").resize(image.size)
        suffix = "jpg" if kind == "CMYK" else "png"
        made = {
            "CMYK": lambda: image.convert("CMYK"),
            "palette": lambda: image.quantize(16),
            "alpha": lambda: Image.merge("RGBA", [*image.split(), mask]),
            "grey with alpha": lambda: Image.merge("LA", [image.convert("L"), mask]),
            "16 bit": lambda: Image.fromarray(np.array(image.convert("L")).astype(np.uint16) * 257),
            "grey": lambda: image.convert("L"),
            "1 bit": lambda: image.convert("1"),
        }[kind]()
        made.save(tmp_path / f"a.{suffix}")
        ended = deflow("degrade", model_folder, tmp_path / f"a.{suffix}", tmp_path / "out.png")
        assert (ended.status, ended.err) == (0, "")
        with Image.open(tmp_path / "out.png") as result:
            assert (result.mode, result.size) == ("RGB", image.size)


def test_sigterm_clears_away_what_is_half_written(
    deflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped_while_writing(**_: object) -> None:
        with atomic_path(tmp_path / "result.png") as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(cli, "app", stopped_while_writing)
    ended = deflow("degrade")
    assert ended.status == 143
    assert "deflow: stopped;" in ended.err
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before
