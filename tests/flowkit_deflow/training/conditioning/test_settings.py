from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import override, read_run
from flowkit_deflow.training.conditioning.settings import resolve_conditioning
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.conftest import Command
from tests.flowkit_deflow.training.conditioning.conftest import scene, white

Settings = Callable[..., Run]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("scenes")
    for seed in range(10):
        write_image(root / "clean" / f"{seed}.png", scene(seed))
        write_image(root / "degraded" / f"{seed}.png", scene(seed + 100) + white(seed, 0.05))
    return root / "clean", root / "degraded"


@pytest.fixture
def open_run(tiny: Settings, folders: tuple[Path, Path]) -> Callable[..., Run]:
    def settings(*changes: str) -> Run:
        clean, degraded = folders
        return tiny(f"data.clean={clean}", f"data.degraded={degraded}", "factor=auto", "h_noise=auto", *changes)

    return settings


def test_numbers_stay_as_they_are(tiny: Settings) -> None:
    run = tiny()
    assert resolve_conditioning(run) == (run, None)


def test_what_is_open_becomes_a_number_and_nothing_else_changes(open_run: Settings) -> None:
    run = open_run()
    resolved, chosen = resolve_conditioning(run)
    assert chosen is not None
    assert (resolved.architecture.factor, resolved.architecture.h_noise) == (chosen.factor, chosen.h_noise)
    assert override(resolved, ["factor=auto", "h_noise=auto"]) == run


def test_a_number_beside_auto_is_kept(open_run: Settings) -> None:
    resolved, _ = resolve_conditioning(open_run("h_noise=0.05"))
    assert resolved.architecture.h_noise == 0.05
    resolved, _ = resolve_conditioning(open_run("factor=8"))
    assert resolved.architecture.factor == 8


def test_only_factors_that_fit_the_crops_are_tried(open_run: Settings) -> None:
    _, chosen = resolve_conditioning(open_run("data.crop=24"))
    assert chosen is not None
    assert {trial.factor for trial in chosen.trials} == {4, 8}
    with pytest.raises(UserError, match=r"'data.crop' is 18; it has to be a multiple of 4"):
        resolve_conditioning(open_run("data.crop=18"))


def test_no_conditioning_has_no_noise_to_choose(tiny: Settings) -> None:
    with pytest.raises(UserError, match=r"'architecture.h_noise' is 'auto', but 'architecture.factor' is null"):
        resolve_conditioning(tiny("factor=null", "h_noise=auto"))


def test_too_few_images_leave_the_paper_s_choice(tiny: Settings) -> None:
    # Eight in each folder.
    resolved, _ = resolve_conditioning(tiny("factor=auto", "h_noise=auto"))
    assert (resolved.architecture.factor, resolved.architecture.h_noise) == (4, 0.03)


def test_images_that_cannot_be_measured(tiny: Settings, tmp_path: Path) -> None:
    for number in range(10):
        write_image(tmp_path / f"{number}.png", torch.ones(3, 40, 40))
    with pytest.raises(UserError, match="'auto' in the settings cannot be decided: no image holds a patch of 32 x 32"):
        resolve_conditioning(tiny("factor=auto", f"data.clean={tmp_path}", f"data.degraded={tmp_path}"))


def test_a_network_is_built_of_numbers_alone(tiny: Settings) -> None:
    with pytest.raises(ValueError, match=r"factor is 'auto', which is chosen from the training images; expected 4, 8"):
        DeFlow(tiny("factor=auto").architecture)
    with pytest.raises(ValueError, match=r"h_noise is 'auto', .* expected a number"):
        DeFlow(tiny("h_noise=auto").architecture)


@pytest.mark.filterwarnings("ignore:::pytorch_lightning")
@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")
def test_training_records_the_numbers_and_goes_on_with_them(
    open_run: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = open_run("training.steps=2", "training.workers=0", "data.crop=16")
    with caplog.at_level("INFO", logger="flowkit_deflow"):
        model, _ = train(run, tmp_path, progress=False)
    recorded = read_run(tmp_path / "run.yaml").architecture
    assert recorded == model.config
    assert recorded.factor in (4, 8, 16)
    assert f"factor {recorded.factor}, h_noise {recorded.h_noise:g}: " in caplog.text
    # The same settings go on with the run, whose numbers are not chosen anew.
    settings = yaml.safe_load((tmp_path / "run.yaml").read_text())
    settings["architecture"]["h_noise"] = 0.07
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    caplog.clear()
    again, _ = train(run, tmp_path, progress=False)
    assert again.config.h_noise == 0.07
    assert "grey levels" not in caplog.text
    with pytest.raises(UserError, match=r"architecture.h_noise was 0.07, now 0.2"):
        train(override(run, ["h_noise=0.2"]), tmp_path, progress=False)


def test_the_command_tells_what_it_chose(deflow: Command, folders: tuple[Path, Path], tmp_path: Path) -> None:
    clean, degraded = folders
    settings = ["--set", "h_noise=auto", "--set", "training.steps=2", "--set", "training.workers=0"]
    ended = deflow(
        "train", "--clean", clean, "--degraded", degraded, "--preset", "tiny", *settings, "--out", tmp_path / "run"
    )
    assert ended.status == 0, ended.err
    assert ended.status == 0, ended.err
    assert ended.out.count("factor 4, h_noise ") == 1
