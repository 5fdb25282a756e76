"""What bad input gets: one line that names the thing and says what to do, exit status 2, nothing half-written."""

import json
import pickle
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import to_yaml
from flowkit_deflow.state_files import pickled
from tests.flowkit_deflow.conftest import HEIGHT, WIDTH, Command, Ended, Evil, Photos


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told_plainly(ended: Ended, *mentioned: object) -> None:
    """The form that every such message has, and what this one has to name."""
    assert ended.status == 2, ended
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("deflow: ")
    assert "Traceback" not in ended.err
    for part in mentioned:
        assert str(part) in ended.err


class Bench:
    """Good and bad things to name on the command line, and an ``out`` that has to stay away."""

    def __init__(self, root: Path, photos: Photos, model: Path) -> None:
        self.root, self.photos, self.model = root, photos, model
        self.out = root / "out"
        self.empty = root / "empty"
        self.empty.mkdir()
        (self.empty / "notes.txt").write_text("no image")
        self.missing = root / "missing"
        self.file = root / "file.txt"
        self.file.write_text("a regular file")
        self.photo = photos.clean / "coffee_0.png"
        whole = self.photo.read_bytes()
        self.cut = root / "cut.png"
        self.cut.write_bytes(whole[: len(whole) // 2])
        self.zero = root / "zero.png"
        self.zero.touch()
        self.text = root / "text.jpg"
        self.text.write_text("no image")
        self.executed = root / "executed"
        self.evil = root / "evil.pth"
        self.evil.write_bytes(pickle.dumps(Evil(self.executed), protocol=2))
        self.evil_zip = root / "evil.pt"
        self.evil_zip.write_bytes(pickled({"a": torch.ones(1), "b": Evil(self.executed)}))
        self.odd = root / "odd.pth"
        self.odd.write_bytes(pickled({"a": 1}))
        self.yaml = root / "bad.yaml"

    def train(self, *more: object, clean: object = None, degraded: object = None) -> list[object]:
        folders = ["--clean", clean or self.photos.clean, "--degraded", degraded or self.photos.noisy]
        return ["train", *folders, "--preset", "tiny", "--set", "training.workers=0", "--out", self.out, *more]

    @property
    def folders(self) -> list[object]:
        return ["--clean", self.photos.clean, "--degraded", self.photos.noisy]

    def restorer(self, *more: object) -> list[object]:
        settings = ["--scale", 1, "--preset", "tiny", "--out", self.out]
        return ["restorer", "train", "--clean", self.photos.clean, *settings, *more]

    def damaged_model(self, change: Callable[[Path], object]) -> Path:
        folder = self.root / "model"
        shutil.copytree(self.model, folder)
        change(folder)
        return folder


@pytest.fixture
def bench(tmp_path: Path, photos: Photos, model_folder: Path) -> Bench:
    return Bench(tmp_path, photos, model_folder)


Case = Callable[[Bench], tuple[list[object], list[object]]]


def edited_config(**changes: Any) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        for name, value in changes.items():
            (values if name in values else values["settings"])[name] = value
        (folder / "config.json").write_text(json.dumps(values))

    return edit


def edited_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors")

    return edit


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


# What is run, and what its message has to name.
CASES: dict[str, Case] = {
    # Folders.
    "train: clean folder missing": lambda b: (b.train(clean=b.missing), [b.missing, "does not exist"]),
    "train: degraded folder missing": lambda b: (b.train(degraded=b.missing), [b.missing, "does not exist"]),
    "train: folder empty": lambda b: (b.train(clean=b.empty), [b.empty, "holds no images"]),
    "train: folder is a file": lambda b: (b.train(clean=b.file), [b.file]),
    "train: no folder given": lambda b: (["train", "--out", b.out, "--preset", "tiny"], ["--degraded"]),
    "train: no clean folder given": lambda b: (
        ["train", "--out", b.out, "--preset", "tiny", "--degraded", b.photos.noisy],
        ["--clean", "data.clean_downsample"],
    ),
    "train: no usable image": lambda b: (b.train(clean=b.zero), [b.zero, "no image in it can be used"]),
    "train: kernels missing": lambda b: (b.train("--set", f"data.kernels={b.missing}"), [b.missing, "blur kernels"]),
    "degrade: input missing": lambda b: (["degrade", b.model, b.missing, b.out], [b.missing, "does not exist"]),
    "degrade: input empty": lambda b: (["degrade", b.model, b.empty, b.out], [b.empty, "holds no images"]),
    "degrade: input no image": lambda b: (["degrade", b.model, b.file, b.out], [b.file, "is not an image"]),
    "restore: input missing": lambda b: (["restore", b.model, b.missing, b.out], [b.missing]),
    "sample: input missing": lambda b: (["sample", b.model, b.missing, b.out], [b.missing]),
    "downsample: input missing": lambda b: (["downsample", b.missing, b.out, "--factor", 2], [b.missing]),
    "evaluate: a file for --out": lambda b: (
        ["evaluate", b.missing, b.photos.noisy, "--out", b.file],
        [b.file, "is no folder"],
    ),
    "metrics: a folder for --out": lambda b: (["metrics", b.missing, "--out", b.empty], [b.empty, "is a folder"]),
    "evaluate: folder missing": lambda b: (["evaluate", b.missing, b.photos.noisy, "--out", b.out], [b.missing]),
    "evaluate: folder empty": lambda b: (["evaluate", b.photos.clean, b.empty, "--out", b.out], [b.empty]),
    # Names and numbers.
    "train: a negative seed of a network that learns by a discriminator": lambda b: (
        ["train", "--degrader", "pdm", *b.folders, "--seed", -1, "--out", b.out],
        ["seed is -1", "below 2**32"],
    ),
    "train: white noise in grey levels": lambda b: (
        ["train", "--degrader", "white", *b.folders, "--set", "sigma=25", "--out", b.out],
        ["sigma is 25", "0.098"],
    ),
    "degrade: an empty argument": lambda b: (["degrade", b.model, b.photos.clean, "", "--out", b.out], ["is empty"]),
    "degrade: a device without values": lambda b: (
        ["degrade", b.model, b.photos.clean, b.out, "--device", "meta"],
        ["meta", "--device"],
    ),
    "convert: a preset that chooses h": lambda b: (
        ["convert", b.model / "model.safetensors", b.out, "--preset", "small"],
        ["--preset small", "--config RUN/run.yaml"],
    ),
    "metrics: folder of files missing": lambda b: (
        ["metrics", b.photos.clean, "--metric-files", b.missing, "--out", b.out],
        [b.missing, "is no folder"],
    ),
    "restorer evaluate: references missing": lambda b: (
        ["restorer", "evaluate", b.model, b.photos.noisy, "--metric", "psnr", "--out", b.out],
        ["'psnr'", "--clean"],
    ),
    "restorer evaluate: unknown metric": lambda b: (
        ["restorer", "evaluate", b.model, b.photos.noisy, "--metric", "pnsr", "--out", b.out],
        ["pnsr"],
    ),
    "restorer train: unknown kind": lambda b: (
        b.restorer("--degraded", b.photos.noisy, "--degrader", "camara"),
        ["camara", "camera", "impressionism"],
    ),
    "restorer train: mixture": lambda b: (
        b.restorer("--degraded", b.photos.noisy, "--degrader", "mixture"),
        ["mixture.folders", "deflow train"],
    ),
    "restorer train: unknown preset of the degrader": lambda b: (
        b.restorer("--degraded", b.photos.noisy, "--degrader", "camera", "--degrader-preset", "papre"),
        ["papre"],
    ),
    "restorer train: unknown judge": lambda b: (
        b.restorer("--degrader", b.model, "--set", "training.judge=pnsr"),
        ["pnsr"],
    ),
    "restorer train: crop too small to be judged": lambda b: (
        b.restorer("--degrader", b.model, "--set", "losses.adversarial=1", "--set", "losses.discriminator=patch"),
        ["crop is 16", "24 pixels"],
    ),
    # Images.
    "train: strict, zero bytes": lambda b: (b.train("--strict", clean=b.zero), [b.zero, "empty"]),
    "train: strict, truncated": lambda b: (b.train("--strict", clean=b.cut), [b.cut, "truncated"]),
    "train: all truncated": lambda b: (b.train(clean=b.cut), [b.cut, "can be read any more"]),
    "train: images smaller than the crop": lambda b: (b.train("--set", "data.crop=64"), ["56 x 40", "crops of 64"]),
    "degrade: strict, zero bytes": lambda b: (["degrade", b.model, b.zero, b.out, "--strict"], [b.zero, "empty"]),
    "degrade: strict, truncated": lambda b: (["degrade", b.model, b.cut, b.out, "--strict"], [b.cut, "truncated"]),
    "degrade: strict, no image": lambda b: (["degrade", b.model, b.text, b.out, "--strict"], [b.text]),
    "degrade: the only image is unreadable": lambda b: (["degrade", b.model, b.zero, b.out], [b.zero, "empty"]),
    "downsample: strict": lambda b: (["downsample", b.cut, b.out, "--factor", 2, "--strict"], [b.cut]),
    "evaluate: strict": lambda b: (["evaluate", b.cut, b.photos.noisy, "--out", b.out, "--strict"], [b.cut]),
    # Names and settings.
    "unknown preset": lambda b: (b.train("--preset", "tinny"), ["'tinny'", "did you mean 'tiny'?"]),
    "unknown preset, nothing near": lambda b: (
        b.train("--preset", "x"),
        ["'x'", "aim, ntire, dped, aim+, ntire+, dped+, small, medium, tiny"],
    ),
    "unknown setting": lambda b: (
        b.train("--set", "training.step=1"),
        ["training.step", "did you mean 'training.steps'"],
    ),
    "unknown setting, short": lambda b: (b.train("--set", "crp=1"), ["'crp'", "did you mean 'data.crop'?"]),
    "unknown setting, of two sections": lambda b: (
        b.train("--set", "stepps=1"),
        ["did you mean 'architecture.steps' or 'training.steps'?"],
    ),
    "ambiguous setting": lambda b: (b.train("--set", "steps=1"), ["architecture.steps", "training.steps"]),
    "setting without a value": lambda b: (b.train("--set", "training.steps"), ["training.steps", "has no value"]),
    "text for a number": lambda b: (b.train("--set", "training.steps=many"), ["training.steps", "integer", "'many'"]),
    "number for a list": lambda b: (b.train("--set", "training.betas=1"), ["training.betas"]),
    "a list too short": lambda b: (b.train("--set", "training.betas=[0.9]"), ["training.betas"]),
    "half a step": lambda b: (b.train("--set", "training.steps=2.5"), ["training.steps", "2.5"]),
    "not a number": lambda b: (b.train("--set", "training.learning_rate=.nan"), ["training.learning_rate"]),
    "out of range": lambda b: (b.train("--set", "training.batch=3"), ["training", "batch is 3", "multiple of 2"]),
    "betas out of range": lambda b: (b.train("--set", "training.betas=[0.9,1.5]"), ["betas"]),
    "seed out of range": lambda b: (b.train("--seed", 2**40), ["seed is 1099511627776"]),
    "no such choice": lambda b: (b.train("--set", "architecture.shift=full"), ["architecture.shift", "'correlated'"]),
    "factor that is none": lambda b: (b.train("--set", "architecture.factor=5"), ["architecture.factor"]),
    "crop off the grid": lambda b: (b.train("--set", "data.crop=18"), ["data.crop", "multiple of 4"]),
    "unknown domain": lambda b: (
        ["sample", b.model, b.photo, b.out, "--domain", "dirty"],
        ["'dirty'", "clean, degraded"],
    ),
    "unknown format": lambda b: (["degrade", b.model, b.photo, b.out, "--format", "gif"], ["'.gif'", ".png"]),
    "preset and config": lambda b: (b.train("--config", b.file), ["--config", "--preset"]),
    "config missing": lambda b: (["train", "--config", b.missing, "--out", b.out], [b.missing, "No such file"]),
    "config is a folder": lambda b: (["train", "--config", b.empty, "--out", b.out], [b.empty]),
    # Machines.
    "no GPU for training": lambda b: (
        b.train("--set", "training.accelerator=gpu"),
        ["training.accelerator", "GPU", "'cpu'"],
    ),
    "no GPU of the name cuda": lambda b: (
        b.train("--set", "training.accelerator=cuda"),
        ["training.accelerator", "GPU"],
    ),
    "no such accelerator": lambda b: (b.train("--set", "training.accelerator=abacus"), ["training.accelerator=abacus"]),
    "no such precision": lambda b: (b.train("--set", "training.precision=8"), ["training.precision=8"]),
    "no such strategy": lambda b: (b.train("--set", "training.strategy=divide"), ["training.strategy=divide"]),
    "no GPU to degrade on": lambda b: (
        ["degrade", b.model, b.photo, b.out, "--device", "cuda"],
        ["'cuda'", "--device cpu"],
    ),
    "no such device": lambda b: (["restore", b.model, b.photo, b.out, "--device", "gpu"], ["'gpu'", "--device cpu"]),
    # Models and weights.
    "no model folder": lambda b: (["degrade", b.missing, b.photo, b.out], [b.missing, "no such folder"]),
    "a file for a model folder": lambda b: (["degrade", b.photo, b.photo, b.out], [b.photo, "is no model folder"]),
    "photographs for a restorer": lambda b: (
        ["restorer", "apply", b.empty, b.photo, b.out],
        [b.empty, "is no model folder", "deflow restorer train"],
    ),
    "a run without a model": lambda b: (["info", b.empty], [b.empty, "is no model folder"]),
    "no file of weights": lambda b: (["convert", b.missing, b.out, "--preset", "tiny"], [b.missing, "no such file"]),
    "weights that are text": lambda b: (["info", b.file], [b.file]),
    "pickle that would run": lambda b: (["info", b.evil], [b.evil, "nothing in it was run"]),
    "pickle that would run, zipped": lambda b: (["info", b.evil_zip], [b.evil_zip, "nothing in it was run"]),
    "pickle that would run, converted": lambda b: (
        ["convert", b.evil, b.out, "--preset", "tiny"],
        [b.evil, "nothing in it was run"],
    ),
    "pickle that would run, as the encoder": lambda b: (
        b.train("--set", f"training.encoder_weights={b.evil}"),
        [b.evil, "nothing in it was run"],
    ),
    "pickle of something else": lambda b: (["info", b.odd], [b.odd, "not a plain state dict"]),
    "encoder weights missing": lambda b: (b.train("--set", f"training.encoder_weights={b.missing}"), [b.missing]),
    "convert without an architecture": lambda b: (
        ["convert", b.model / "model.safetensors", b.out],
        ["--preset", "--config"],
    ),
    "convert with an unknown preset": lambda b: (
        ["convert", b.model / "model.safetensors", b.out, "--preset", "ain"],
        ["'ain'", "'aim'"],
    ),
    "convert something else": lambda b: (
        ["convert", b.model / "model.safetensors", b.out, "--preset", "ntire"],
        ["unknown key 'flow"],
    ),
    # Temperatures, and what is there already.
    "temperature that is none": lambda b: (
        ["degrade", b.model, b.photo, b.out, "--temperature", "nan"],
        ["--temperature", "nan", "0 is none, 1 as learned"],
    ),
    "temperature below 0": lambda b: (["sample", b.model, b.photo, b.out, "--temperature", -1], ["-1.0"]),
    "temperature far too high": lambda b: (
        ["restore", b.model, b.photo, b.out, "--temperature", 4],
        ["4.0", "--force"],
    ),
    "bounds of temperatures": lambda b: (["pairs", b.model, b.photo, b.out, "--temperature", "2:1"], ["2:1", "above"]),
    "a shard that is none": lambda b: (["degrade", b.model, b.photo, b.out, "--shard", "5/4"], ["5/4", "16/16"]),
    "a format that is not written": lambda b: (
        ["degrade", b.model, b.photo, b.out.with_suffix(".gif")],
        [".gif", "are not written"],
    ),
    "16 bits of a format of 8": lambda b: (
        ["degrade", b.model, b.photo, b.out, "--format", "jpg", "--bit-depth", 16],
        [".jpg", "8 bits"],
    ),
    "12 bits": lambda b: (["degrade", b.model, b.photo, b.out, "--bit-depth", 12], ["12", "8 or 16"]),
    "downsampled by more than there is": lambda b: (["downsample", b.photo, b.out, "--factor", 41], ["56 x 40", "41"]),
    "convert over what is there": lambda b: (["convert", b.model, b.file], [b.file, "--overwrite"]),
    "one setting of several": lambda b: (
        b.train("--set", "training.steps=many", "--set", "crop=16"),
        ["--set training.steps=many: setting"],
    ),
    # Places to write.
    "out is a file": lambda b: (["degrade", b.model, b.photos.clean, b.file], [b.file]),
    "out is below a file": lambda b: (["degrade", b.model, b.photo, b.file / "out"], [b.file / "out", "file stands"]),
    "run below a file": lambda b: (b.train("--out", b.file / "run"), [b.file / "run", "file stands"]),
    "evaluation below a file": lambda b: (
        ["evaluate", b.photos.clean, b.photos.noisy, "--out", b.file / "evaluation"],
        [b.file / "evaluation", "file stands"],
    ),
    "no new folders in /proc": lambda b: (
        ["degrade", b.model, b.photo, "/proc/deflow"],
        ["/proc/deflow", "cannot write"],
    ),
    "over its own source": lambda b: (
        ["downsample", b.photo, b.photo, "--factor", 2],
        [b.photo, "would be overwritten"],
    ),
    "weights of an unknown format": lambda b: (
        ["convert", b.damaged_model(edited_config(scale="sigmoid")), b.out.with_suffix(".onnx")],
        [".onnx", ".safetensors"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(deflow: Command, bench: Bench, name: str) -> None:
    arguments, mentioned = CASES[name](bench)
    before = contents(bench.root)
    told_plainly(deflow(*arguments), *mentioned)
    assert contents(bench.root) == before
    assert not bench.out.exists()
    assert not bench.executed.exists()


DAMAGED_MODELS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), ["model.safetensors", "no such file"]),
    "no settings": (lambda folder: (folder / "config.json").unlink(), ["is no model folder"]),
    "weights cut short": (cut_weights, ["model.safetensors", "no valid safetensors"]),
    "settings that are no JSON": (lambda folder: (folder / "config.json").write_text("{"), ["config.json", "JSON"]),
    "settings that are a list": (lambda folder: (folder / "config.json").write_text("[]"), ["config.json"]),
    "another format": (edited_config(format="other 1"), ["config.json", "flowkit-deflow 2"]),
    "a later format": (edited_config(format="flowkit-deflow 3"), ["config.json", "flowkit-deflow 3", "update"]),
    "no architecture": (
        lambda folder: (folder / "config.json").write_text('{"format": "flowkit-deflow 2"}'),
        ["config.json"],
    ),
    "an architecture that is a list": (edited_config(architecture=[1]), ["config.json"]),
    "more steps than the weights have": (edited_config(steps=2), ["model.safetensors", "is missing", "architecture"]),
    "another width": (edited_config(hidden_channels=9), ["model.safetensors", "has shape", "architecture"]),
    "another latent model": (edited_config(shift="uncorrelated"), ["model.safetensors", "another architecture"]),
    "an unknown setting": (edited_config(stpes=2), ["config.json", "'stpes'", "did you mean 'steps'"]),
    "a value of another type": (edited_config(levels="two"), ["config.json", "'levels'", "'two'"]),
    "a value out of range": (edited_config(levels=0), ["config.json", "levels is 0"]),
    "a key too many": (edited_weights(lambda s: s.update(extra=torch.ones(1))), ["'extra'", "is unknown"]),
    "a key too few": (edited_weights(lambda s: s.popitem()), ["model.safetensors", "is missing"]),
}


@pytest.mark.parametrize("name", DAMAGED_MODELS)
def test_a_damaged_model(deflow: Command, bench: Bench, name: str) -> None:
    change, mentioned = DAMAGED_MODELS[name]
    model = bench.damaged_model(change)
    for command in (["degrade", model, bench.photo, bench.out], ["info", model]):
        told_plainly(deflow(*command), model, *mentioned)
    assert not bench.out.exists()


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("training: {stepz: 3}", "did you mean 'training.steps'?"),
        ("trainig: {steps: 3}", "'trainig'"),
        ("training: {steps: three}", "'training.steps'"),
        ("training: [", "is not valid YAML"),
        ("- 1", "holds no settings"),
        ("", "holds no settings"),
        ("training: 3", "'training'"),
        ("training:", "'training'"),
        ("1: 2", "'1'"),
        ("data: {clean: [3]}", "'data.clean'"),
        ("architecture: {normalization: {clean: 1}}", "architecture.normalization"),
        ("a: \x07", "is not valid YAML"),
    ],
)
def test_a_bad_file_of_settings(deflow: Command, bench: Bench, text: str, mentioned: str) -> None:
    bench.yaml.write_text(text)
    told_plainly(deflow("train", "--config", bench.yaml, "--out", bench.out), bench.yaml, mentioned)
    assert not bench.out.exists()


def test_a_recorded_run_that_was_edited(deflow: Command, bench: Bench, trained: Path) -> None:
    shutil.copytree(trained, bench.out)
    (bench.out / "run.yaml").write_text("training: {stepz: 3}")
    before = contents(bench.out)
    told_plainly(deflow(*bench.train()), bench.out / "run.yaml", "did you mean 'training.steps'?")
    assert contents(bench.out) == before


class TestConvert:
    """Published checkpoints of another architecture."""

    @pytest.fixture
    def published(self, deflow: Command, bench: Bench) -> Path:
        """A checkpoint, and ``run.yaml`` with its architecture."""
        arguments = bench.train("--set", "architecture.scale=sigmoid", "--steps", 1)
        assert deflow(*arguments).status == 0
        path = bench.root / "published.pth"
        assert deflow("convert", bench.out / "model", path).status == 0
        shutil.copy(bench.out / "run.yaml", bench.root / "run.yaml")
        shutil.rmtree(bench.out)
        return path

    def test_another_preset(self, deflow: Command, bench: Bench, published: Path) -> None:
        told_plainly(deflow("convert", published, bench.out, "--preset", "ntire"), "published checkpoint")
        assert not bench.out.exists()

    def test_another_width(self, deflow: Command, bench: Bench, published: Path) -> None:
        text = (bench.root / "run.yaml").read_text().replace("hidden_channels: 8", "hidden_channels: 12")
        bench.yaml.write_text(text)
        told_plainly(deflow("convert", published, bench.out, "--config", bench.yaml), "has shape", "expected")
        assert not bench.out.exists()

    @pytest.mark.parametrize("there", ["folder", "file", "below a file"])
    def test_a_place_that_cannot_be_written(self, deflow: Command, bench: Bench, published: Path, there: str) -> None:
        target = {"folder": bench.empty, "file": bench.file, "below a file": bench.file / "model"}[there]
        before = contents(bench.root)
        told_plainly(deflow("convert", published, target, "--config", bench.root / "run.yaml"), target)
        assert contents(bench.root) == before


class TestOnAndSayingSo:
    """Unreadable images among good ones are named at the end, with exit status 3."""

    @pytest.fixture
    def mixed(self, bench: Bench) -> Path:
        folder = bench.root / "mixed"
        folder.mkdir()
        for path in (bench.photo, bench.cut, bench.zero, bench.text):
            shutil.copy(path, folder)
        return folder

    @pytest.mark.parametrize("command", ["degrade", "restore", "sample", "downsample"])
    def test_images(self, deflow: Command, bench: Bench, mixed: Path, command: str) -> None:
        model = [] if command == "downsample" else [bench.model]
        more = ["--factor", 2] if command == "downsample" else []
        ended = deflow(command, *model, mixed, bench.out, *more)
        assert ended.status == 3
        assert "1 image done" in ended.out
        lines = ended.err.splitlines()
        assert lines[0] == "3 images were left out:"
        for line, name in zip(lines[1:], ("cut.png", "text.jpg", "zero.png"), strict=True):
            assert str(mixed / name) in line
        assert set(contents(bench.out)) == {"coffee_0.png", "manifest.jsonl"}

    def test_kinds_that_are_not_read_are_counted(self, deflow: Command, bench: Bench, mixed: Path) -> None:
        for name in ("a.GIF", "b.gif", "c.CR2", "notes.txt"):
            (mixed / name).touch()
        ended = deflow("degrade", bench.model, mixed, bench.out)
        assert ended.status == 3
        assert ended.err.splitlines()[:3] == [
            "6 images were left out:",
            "  1 .cr2: raw photographs: develop them to TIFF or PNG",
            "  2 .gif: not read: convert them to PNG",
        ]
        assert "Passed over, no image: 1 .txt" in ended.out

    def test_training(self, deflow: Command, bench: Bench, mixed: Path) -> None:
        ended = deflow(*bench.train(clean=mixed))
        assert ended.status == 3
        assert ended.err.splitlines()[0] == "3 images were left out:"
        for name in ("cut.png", "text.jpg", "zero.png"):
            assert sum(str(mixed / name) in line for line in ended.err.splitlines()) == 1
        assert (bench.out / "model" / "model.safetensors").exists()

    def test_training_names_images_that_are_too_small(self, deflow: Command, bench: Bench, mixed: Path) -> None:
        write_image(mixed / "small.png", torch.zeros(3, 15, 90))
        ended = deflow(*bench.train(clean=mixed))
        assert ended.status == 3
        assert "90 x 15 pixels" in ended.err

    def test_evaluation(self, deflow: Command, bench: Bench, mixed: Path) -> None:
        ended = deflow("evaluate", mixed, bench.photos.noisy, "--out", bench.out)
        assert ended.status == 3
        assert "3 images were left out:" in ended.err

    @pytest.mark.parametrize("command", ["degrade", "train"])
    def test_strict_stops(self, deflow: Command, bench: Bench, mixed: Path, command: str) -> None:
        arguments = bench.train(clean=mixed) if command == "train" else ["degrade", bench.model, mixed, bench.out]
        told_plainly(deflow(*arguments, "--strict"), mixed)
        # An image that was done before stays, whole.
        assert set(contents(bench.out)) <= ({"coffee_0.png", "manifest.jsonl"} if command == "degrade" else set())
        assert all(read_image(path).shape == (3, HEIGHT, WIDTH) for path in bench.out.glob("*.png"))


def small_files_only() -> None:
    """As on a full disk, no file of this process can hold more than 8 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


class TestFullDisk:
    def test_training(self, deflow_process: Callable[..., Ended], bench: Bench) -> None:
        ended = deflow_process(*bench.train(), preexec_fn=small_files_only)
        told_plainly(ended, bench.out / "checkpoints" / "last.ckpt", "cannot write", "write to another disk")
        assert not (bench.out / "model").exists()
        assert [*(bench.out / "checkpoints").iterdir()] == []

    def test_training_whose_log_comes_first(self, deflow_process: Callable[..., Ended], bench: Bench) -> None:
        changes = ("training.checkpoint_every=1000", "training.image_every=1", "training.workers=0")
        arguments = bench.train(*(part for change in changes for part in ("--set", change)))
        told_plainly(deflow_process(*arguments, preexec_fn=small_files_only), bench.out, "cannot be written")
        assert not (bench.out / "model").exists()

    def test_images(self, deflow_process: Callable[..., Ended], bench: Bench) -> None:
        write_image(bench.root / "large.png", torch.rand(3, 90, 90, generator=torch.Generator().manual_seed(0)))
        ended = deflow_process("degrade", bench.model, bench.root / "large.png", bench.out, preexec_fn=small_files_only)
        told_plainly(ended, bench.out / "large.png", "cannot write")
        assert set(contents(bench.out)) == {"manifest.jsonl"}

    def test_weights(self, deflow_process: Callable[..., Ended], bench: Bench) -> None:
        target = bench.root / "weights.safetensors"
        told_plainly(
            deflow_process(
                "convert", bench.damaged_model(edited_config(scale="sigmoid")), target, preexec_fn=small_files_only
            ),
            target,
            "cannot write",
        )
        assert not target.exists()


class TestInAProcess:
    """What a library writes to the error output by itself is seen only from outside."""

    def test_a_checkpoint_that_would_run_something(
        self, deflow_process: Callable[..., Ended], tiny: Callable[..., Run], trained: Path, bench: Bench
    ) -> None:
        shutil.copytree(trained, bench.out)
        shutil.rmtree(bench.out / "model")
        last = bench.out / "checkpoints" / "last.ckpt"
        last.write_bytes(bench.evil.read_bytes())
        bench.yaml.write_text(to_yaml(tiny()))
        told_plainly(deflow_process("train", "--config", bench.yaml, "--out", bench.out), last, "nothing in it was run")
        assert not bench.executed.exists()
        assert not (bench.out / "model").exists()

    def test_images_that_all_vanish(self, deflow_process: Callable[..., Ended], bench: Bench) -> None:
        told_plainly(deflow_process(*bench.train("--set", "training.workers=1", clean=bench.cut)), bench.cut)
        assert not (bench.out / "model").exists()

    def test_an_unknown_setting(self, deflow_process: Callable[..., Ended], bench: Bench) -> None:
        told_plainly(deflow_process(*bench.train("--set", "training.step=1")), "did you mean 'training.steps'?")
