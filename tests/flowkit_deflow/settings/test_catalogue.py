"""Every setting with what it is, and in which of them two runs differ."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from flowkit_deflow.settings.catalogue import settings
from flowkit_deflow.settings.commented import commented_yaml
from flowkit_deflow.settings.config_file import read_config
from flowkit_deflow.settings.degrader_presets import DEGRADER_PRESETS
from flowkit_deflow.settings.differences import differences
from flowkit_deflow.settings.presets import PRESETS, preset
from flowkit_deflow.settings.restoration_presets import RESTORER_PRESETS
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.sorts import Sort
from flowkit_deflow.settings.text import from_dict, to_dict
from tests.flowkit_deflow.networks import NORMALIZATION


def test_every_setting_says_what_it_is() -> None:
    known = settings()
    values = to_dict(Run())
    assert [setting.name for setting in known] == [
        f"{section}.{name}" for section in values for name in values[section]
    ]
    assert [setting.name for setting in known if not setting.meaning] == []


def test_settings_of_speed_and_of_places_are_told_apart_from_those_of_the_result() -> None:
    by_sort = {sort: {setting.name for setting in settings() if setting.sort is sort} for sort in Sort}
    assert by_sort[Sort.PLACE] == {
        "data.clean",
        "data.degraded",
        "data.kernels",
        "training.encoder_weights",
        "training.initial_model",
    }
    free = {"workers", "crops_at_once", "activations", "checkpoint_every", "log_every", "max_skipped", "accelerator"}
    assert {f"training.{name}" for name in free} <= by_sort[Sort.SPEED]
    tied = {"training.seed", "training.batch", "training.learning_rate", "data.crop", "architecture.levels"}
    assert tied <= by_sort[Sort.RESULT]


def test_differences_are_named_with_both_values() -> None:
    run = preset("tiny")
    other = replace(run, training=replace(run.training, workers=0, betas=(0.5, 0.9)))
    assert [str(difference) for difference in differences(run, other)] == [
        "training.betas was (0.9, 0.99), now (0.5, 0.9)",
        "training.workers was 1, now 0",
    ]
    assert differences(run, run) == []


@pytest.mark.parametrize("name", [*PRESETS, "with statistics"])
def test_commented_settings_are_read_as_the_same_settings(name: str) -> None:
    run = PRESETS.get(name, preset("tiny"))
    if name not in PRESETS:
        run = replace(run, architecture=replace(run.architecture, normalization=NORMALIZATION))
    text = commented_yaml(run)
    assert from_dict(Run, yaml.safe_load(text), "text") == run


OTHERS = {f"{kind} {name}": run for kind, presets in DEGRADER_PRESETS.items() for name, run in presets.items()}
OTHERS |= {f"restorer {name}": run for name, run in RESTORER_PRESETS.items()}


@pytest.mark.parametrize("name", OTHERS)
def test_commented_settings_of_other_runs_say_what_each_is_and_are_read_as_the_same(name: str, tmp_path: Path) -> None:
    run = OTHERS[name]
    text = commented_yaml(run, "deflow")
    (tmp_path / "mine.yaml").write_text(text)
    assert read_config(type(run), tmp_path / "mine.yaml") == run
    lines = text.splitlines()
    for setting in settings(type(run)):
        assert setting.meaning
        assert any(line.strip().startswith(f"{setting.name.split('.')[-1]}: ") for line in lines)
    assert not any("MISSING" in line or "``" in line for line in lines)


def test_comments_give_meaning_unit_sort_and_default() -> None:
    lines = commented_yaml(preset("small")).splitlines()
    at = lines.index("  crop: 32")
    assert lines[at - 1] == "  # side of the square training crops (pixels). [result; default: 160]"
    at = lines.index("  workers: 1")
    assert lines[at - 1] == "  # data-loader processes. [speed; default: 2]"
    assert not any("``" in line for line in lines)
