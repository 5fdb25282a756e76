"""The benchmark of restoration: its folders, its commands, and what becomes of its figures."""

import argparse
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

from benchmarks import record as records
from benchmarks.page import fill
from benchmarks.restoration import table
from benchmarks.restoration.cell import METRICS, RESTORER, Cell
from benchmarks.restoration.command import _begun, add
from benchmarks.restoration.methods import ABLATION, METHODS, ORACLE, is_seeded, named_settings, on_track, variant
from benchmarks.restoration.noise import FIGURES, makes_noise, noise, summary_of_noise
from benchmarks.restoration.pictures import SHOWN, strips_lack, write_strips
from benchmarks.restoration.summary import summary
from benchmarks.restoration.tracks import TRACKS, Track, make_tracks
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import list_images, read_image, write_image
from flowkit_deflow.settings.presets import PRESETS
from flowkit_deflow.settings.restoration_presets import restorer_preset

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "restoration.md"


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Track]:
    root = tmp_path_factory.mktemp("restoration")
    generator = torch.Generator().manual_seed(0)

    def write(folder: Path, names: list[str]) -> None:
        folder.mkdir(parents=True)
        for name in names:
            write_image(folder / name, torch.rand(3, 18, 21, generator=generator))

    write(root / "photographs", [f"{i}.png" for i in range(145)])
    for kind in ("clean", "noisy"):
        write(root / "polyu" / "dev" / kind, ["a.jpg", "b.jpg", "c.jpg"])
        write(root / "polyu" / "val" / kind, ["d.jpg"])
    (root / "polyu" / "unpaired_split.json").write_text(json.dumps({"clean": ["a"], "noisy": ["b", "c"]}))
    made = make_tracks(TRACKS, root / "photographs", root / "polyu", root / "work")
    return {track.name: track for track in made}


def test_a_track_that_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    write_image(tmp_path / "photographs" / "a.png", torch.rand(3, 18, 21))
    for number in range(144):
        (tmp_path / "photographs" / f"{number}.png").write_bytes((tmp_path / "photographs" / "a.png").read_bytes())
    damaged = tmp_path / "photographs" / "100.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"interrupted here")
    with pytest.raises(UserError, match=r"100\.png"):
        make_tracks(["S_aim"], tmp_path / "photographs", tmp_path, tmp_path / "work")
    damaged.write_bytes(whole)
    (track,) = make_tracks(["S_aim"], tmp_path / "photographs", tmp_path, tmp_path / "work")
    assert [len(list_images(folder)) for folder in (track.clean, track.degraded, track.judged_clean)] == [70, 70, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tracks", "X"], "--tracks X: is unknown; there are R, S_aim, S_ntire"),
        (["--methods", "foo"], "--methods foo: is unknown; there are none, white"),
        (["--metric-files", "no/such"], "no/such is no folder"),
        (["--tables-only"], r"restoration\.json does not exist"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(arguments: list[str], message: str, tmp_path: Path) -> None:
    folders = [f"--{name}={tmp_path}" for name in ("photographs", "polyu", "metric-files")]
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers())
    places = ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    given = parser.parse_args(["restoration", *folders, *places, *arguments])
    with pytest.raises(SystemExit, match=message):
        given.run(given)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("name", TRACKS)
def test_nothing_that_is_judged_was_learned_from(name: str, tracks: dict[str, Track]) -> None:
    track = tracks[name]

    def scenes(folder: Path) -> set[str]:
        return {file.stem for file in list_images(folder)}

    assert scenes(track.judged_degraded) == scenes(track.judged_clean) != set()
    assert scenes(track.pairs_degraded) == scenes(track.pairs_clean) != set()
    assert not scenes(track.judged_clean) & (scenes(track.clean) | scenes(track.pairs_clean))
    assert not scenes(track.degraded) & scenes(track.clean)


@pytest.mark.parametrize("name", TRACKS)
def test_degraded_images_are_smaller_by_the_scale(name: str, tracks: dict[str, Track]) -> None:
    track = tracks[name]
    for clean, degraded in ((track.judged_clean, track.judged_degraded), (track.pairs_clean, track.pairs_degraded)):
        for file in list_images(degraded):
            large = read_image(next(clean.glob(f"{file.stem}.*")))
            small = read_image(file)
            assert [side * track.scale for side in small.shape[1:]] == list(large.shape[1:])


@pytest.mark.parametrize("method", sorted({*METHODS, *ABLATION.values()}))
def test_settings_of_each_command_are_known(method: str, tracks: dict[str, Track], tmp_path: Path) -> None:
    from flowkit_deflow.app.learned_degrader import KINDS
    from flowkit_deflow.settings.text import override

    chosen = variant(method)
    for track in tracks.values():
        if not on_track(method, track.name):
            continue
        commands = Cell(track, method, 1, 5, tmp_path).commands(tmp_path)
        learning = [command for command in commands if command[0] == "train"]
        training, *second, applying, judging = commands[len(learning) :]
        assert (chosen.base == ORACLE) == ("--pairs" in training)
        assert bool(chosen.extra_noise) == any(part.startswith("data.extra_noise=") for part in training)
        for command in (training, *second):
            changes = [value for name, value in pairwise(command) if name == "--set"]
            run = override(restorer_preset(RESTORER), changes)
            assert (run.losses.adversarial > 0) == (command in second)
        assert len(second) == chosen.adversarial
        assert applying[:3] == ["restorer", "apply", (second or [training])[-1][-1]]
        assert judging[0] == "metrics"
        for command in learning:
            changes = [value for name, value in pairwise(command) if name == "--set"]
            assert dict(pairwise(command)).get("--degrader", "deflow") in KINDS
            override(named_settings(chosen.base), changes)


def test_a_cell_is_computed_again_where_its_named_settings_have_changed(
    tracks: dict[str, Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    # In place of the commands, which take minutes.
    def run(command: list[str], log: Path) -> None:
        ran.append(command[0])
        (log.parent / "scores.json").write_text(json.dumps({key: {"values": {}} for key in METRICS.values()}))

    monkeypatch.setattr("benchmarks.restoration.cell.run_deflow", run)
    cell = Cell(tracks["R"], "deflow", 0, 5, tmp_path)
    cell.scores(tmp_path)
    assert ran.pop(0) == "train"
    ran.clear()
    cell.scores(tmp_path)
    assert not ran
    other = replace(PRESETS["small"], architecture=replace(PRESETS["small"].architecture, grain=False))
    monkeypatch.setitem(PRESETS, "small", other)
    cell.scores(tmp_path)
    assert ran.pop(0) == "train"


@pytest.mark.parametrize("name", TRACKS)
def test_strips_show_photographs_that_are_free(
    name: str, tracks: dict[str, Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In place of the networks, which take minutes to train.
    def enlarge(cell: Cell, root: Path, photographs: Path, out: Path) -> None:
        for file in list_images(photographs):
            write_image(out / file.name, interpolate(read_image(file)[None], scale_factor=cell.track.scale)[0])

    assert strips_lack(tracks[name], tmp_path) == list(SHOWN)
    monkeypatch.setattr(Cell, "restore", enlarge)
    write_strips(tracks[name], tmp_path, tmp_path / "strips" / f"{name}.png")
    if name == "R":
        assert not (tmp_path / "strips").exists()
    else:
        assert {folder.name for folder in (tmp_path / name / "pictures").iterdir()} == {"degraded", *SHOWN}
        _, height, width = read_image(tmp_path / "strips" / f"{name}.png").shape
        assert 0.8 < height / width < 0.9


@pytest.mark.parametrize("name", ["R", "S_aim"])
def test_noise_is_compared_with_that_of_the_judged_images(name: str, tracks: dict[str, Track], tmp_path: Path) -> None:
    cell = Cell(tracks[name], "white", 0, 5, tmp_path)
    WhiteNoise(0.1).save_pretrained(cell.folder(tmp_path) / "degrader" / "model")
    figures = noise(cell, tmp_path)
    assert figures.keys() == FIGURES.keys()
    real = [
        read_image(file) - read_image(next(cell.track.judged_small.glob(f"{file.stem}.*")))
        for file in list_images(cell.track.judged_degraded)
    ]
    strength = torch.cat([residual.flatten() for residual in real]).std()
    # Clipped at black and white, and with S's rounding and JPEG, on few pixels.
    assert figures["strength"] == pytest.approx(0.1 / float(strength), rel=0.15)


def test_noise_is_of_what_degrades() -> None:
    made = [method for method in METHODS if makes_noise(method)]
    assert {"white", "deflow", "handwritten"} <= set(made)
    assert not {"none", "oracle", "deflow + 6", "deflow, GAN"} & set(made)
    assert {method for method in made if is_seeded(method)} > {"deflow", "pdm"}
    assert not {"white", "handwritten"} & {method for method in made if is_seeded(method)}


def test_figures_of_noise_that_are_not_defined_are_left_out_of_the_mean() -> None:
    figures = summary_of_noise([{"kl": 0.1, "correlation": None}, {"kl": 0.3, "correlation": None}])
    assert figures["kl"] == {"mean": pytest.approx(0.2), "seeds": 2, "between_seeds": pytest.approx(0.02**0.5)}
    assert figures["correlation"]["mean"] is None


def test_rows_of_another_run_stay_in_the_record(tmp_path: Path) -> None:
    path = tmp_path / "restoration.json"
    record = _begun(path, steps=5)
    record["tracks"]["R"] = {"methods": {"none": {}}}
    records.write(path, record)
    assert _begun(path, steps=5) == record
    assert _begun(path, steps=6)["tracks"] == {}
    records.write(path, record | {"versions": {"torch": "1.0"}})
    assert _begun(path, steps=5)["tracks"] == {}


def test_means_are_of_images_and_seeds() -> None:
    seeds = [{"psnr": {f"{i}": 30.0 + i + seed for i in range(5)}} for seed in (0, 2)]
    psnr = summary(seeds)["psnr"]
    assert psnr["mean"] == pytest.approx(33.0)
    assert psnr["seeds"] == 2
    assert psnr["between_seeds"] == pytest.approx(2**0.5)
    assert psnr["low"] is not None
    assert psnr["high"] is not None
    assert 31.0 <= psnr["low"] < 33.0 < psnr["high"] <= 35.0


def test_the_page_has_a_place_for_each_table() -> None:
    once = {"mean": 1.0, "low": 0.5, "high": 1.5, "seeds": 1, "between_seeds": None}
    thrice = once | {"seeds": 3, "between_seeds": 0.1}
    rows = {"deflow": dict.fromkeys(table.HEADS, thrice), "none": dict.fromkeys(table.HEADS, once)}
    figure = {"mean": 1.0, "seeds": 3, "between_seeds": 0.1}
    figures = dict.fromkeys(FIGURES, figure) | {"correlation": figure | {"mean": None}}
    noises = {"deflow": figures}
    record = {
        "tracks": {"R": {"methods": rows, "noise": noises}},
        "ablation": {},
        "steps": 5,
        "command": "c",
        "minutes": 1.0,
    }
    record |= {"machine": "m", "threads": 1, "versions": {}}
    page = fill(PAGE.read_text(encoding="utf-8"), table.sections(record))
    assert "| none | 1.00 (0.50 to 1.50) | 1.000 (0.500 to 1.500) |" in page
    assert "| deflow | 1.00 ± 0.10 (0.50 to 1.50) | 1.000 ± 0.100 (0.500 to 1.500) |" in page
    assert "| deflow | 1.000 ± 0.100 | not defined | 1.000 ± 0.100 |" in page
