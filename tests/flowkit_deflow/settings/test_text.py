import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.presets import PRESETS
from flowkit_deflow.settings.schema import Architecture, ChannelStatistics, Data, Normalization, Run, Training
from flowkit_deflow.settings.text import from_dict, override, read_yaml, to_dict, to_yaml
from tests.flowkit_deflow.networks import NORMALIZATION

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-9, 1e9)
three = st.tuples(finite, finite, finite)
paths = st.none() | st.text(st.characters(codec="utf-8"), max_size=20)


@st.composite
def normalizations(draw: st.DrawFn) -> Normalization:
    return Normalization(
        *(ChannelStatistics(draw(three), draw(st.tuples(positive, positive, positive))) for _ in "abcd")
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    architecture = Architecture(
        factor=draw(st.sampled_from([4, 8, 16, None])),
        h_noise=draw(st.floats(0, 1e9)),
        levels=draw(st.integers(2, 9)),
        split_after=(1,),
        shift=draw(st.sampled_from(["correlated", "uncorrelated", "none"])),
        stack_blocks=tuple(draw(st.lists(st.integers(0, 22), max_size=4))),
        normalization=draw(st.none() | normalizations()),
    )
    data = Data(
        clean=draw(paths),
        kernels=draw(paths),
        clean_downsample=tuple(draw(st.lists(st.integers(1, 99), min_size=1, max_size=3))),
        flip=draw(st.booleans()),
    )
    training = Training(
        learning_rate=draw(positive),
        betas=(draw(st.floats(0, 1, exclude_max=True)), 0.5),
        halve_at=tuple(draw(st.lists(st.floats(0, 1), max_size=3))),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    return Run(architecture, data, training)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = {
    "architecture": list(asdict(Architecture())),
    "data": list(asdict(Data())),
    "training": list(asdict(Training())),
}


def refused(values: Any, *parts: str, cls: type = Run) -> None:
    with pytest.raises(UserError) as error:
        from_dict(cls, values, "run.yaml")
    message = str(error.value)
    assert message.startswith("run.yaml: ")
    assert "\n" not in message
    assert all(part in message for part in parts), message


def told(action: Callable[[], object]) -> str | None:
    """The message of the UserError that an action ends with, if it does; any other error goes through."""
    try:
        action()
    except UserError as error:
        return str(error)
    return None


class TestRoundTrip:
    @pytest.mark.parametrize("name", list(PRESETS))
    def test_presets_through_a_file(self, name: str, tmp_path: Path) -> None:
        run, path = PRESETS[name], tmp_path / "run.yaml"
        path.write_text(to_yaml(run))
        assert from_dict(Run, read_yaml(path), str(path)) == run

    @settings(deadline=None)
    @given(run=runs())
    def test_anything_through_yaml(self, run: Run) -> None:
        assert from_dict(Run, yaml.safe_load(to_yaml(run)), "run.yaml") == run

    def test_what_is_left_out_keeps_its_default(self) -> None:
        assert from_dict(Run, {}, "run.yaml") == Run()
        run = from_dict(Run, {"data": {"crop": 64}}, "run.yaml")
        assert run == replace(Run(), data=Data(crop=64))

    def test_plain_values(self) -> None:
        values = to_dict(replace(Run(), architecture=Architecture(normalization=NORMALIZATION)))
        assert values["architecture"]["split_after"] == [1]
        assert values["architecture"]["normalization"]["clean"]["std"] == [0.2, 0.25, 0.3]
        assert values["data"]["clean"] is None


class TestUnknownSettings:
    @pytest.mark.parametrize(
        ("values", "name", "near"),
        [
            ({"data": {"corp": 64}}, "data.corp", "data.crop"),
            ({"training": {"learning_rat": 1e-4}}, "training.learning_rat", "training.learning_rate"),
            ({"architecture": {"hiden_channels": 8}}, "architecture.hiden_channels", "architecture.hidden_channels"),
            ({"data": {"learning_rate": 1e-4}}, "data.learning_rate", "training.learning_rate"),
            ({"crop": 64}, "crop", "data.crop"),
        ],
    )
    def test_the_nearest_name_is_proposed(self, values: Any, name: str, near: str) -> None:
        refused(values, f"unknown setting '{name}'; did you mean '{near}'?")

    def test_or_all_names_are_listed(self) -> None:
        refused({"zzzzzzzz": 1}, "'zzzzzzzz'; there are: ", "data.crop", "architecture.normalization.clean_h.std")

    @settings(deadline=None)
    @given(section=st.sampled_from(list(NAMES)), data=st.data())
    def test_one_wrong_letter(self, section: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([name for name in NAMES[section] if len(name) > 3]))
        place = data.draw(st.integers(0, len(name) - 1))
        wrong = name[:place] + "Q" + name[place + 1 :]
        refused({section: {wrong: 1}}, f"unknown setting '{section}.{wrong}'", f"did you mean '{section}.{name}")


class TestWrongValues:
    @pytest.mark.parametrize(
        ("values", "parts"),
        [
            ({"data": {"crop": "wide"}}, ["'data.crop'", "integer", "'wide'"]),
            ({"data": {"crop": 64.5}}, ["'data.crop'", "64.5"]),
            ({"data": {"crop": [64]}}, ["'data.crop'", "[64]"]),
            ({"data": {"crop": None}}, ["'data.crop'"]),
            ({"data": {"clean": [5]}}, ["'data.clean'", "string"]),
            ({"data": {"flip": "perhaps"}}, ["'data.flip'", "'perhaps'"]),
            ({"data": {"clean_downsample": 4}}, ["'data.clean_downsample'"]),
            ({"data": {"clean_downsample": [4, "x"]}}, ["'data.clean_downsample.1'", "'x'"]),
            ({"training": {"learning_rate": "fast"}}, ["'training.learning_rate'", "number"]),
            ({"training": {"learning_rate": float("nan")}}, ["'training.learning_rate'", "finite"]),
            ({"training": {"learning_rate": float("inf")}}, ["'training.learning_rate'", "finite"]),
            ({"training": {"betas": [0.9]}}, ["'training.betas"]),
            ({"architecture": {"h_noise": "some"}}, ["'architecture.h_noise'", "valid number", "got 'some'"]),
            ({"architecture": {"factor": 5}}, ["'architecture.factor'", "4, 8, 16 or 'auto'", "got 5"]),
            ({"architecture": {"shift": "some"}}, ["'architecture.shift'", "'none', 'binned' or 'brightness'"]),
            ({"architecture": {"normalization": {"clean": {}}}}, ["'architecture.normalization.", "required"]),
            ({"training": None}, ["'training'"]),
            ({"training": [1]}, ["'training'"]),
            ([], []),
            (None, []),
            ("text", []),
            ({1: 2}, ["'1'"]),
        ],
        ids=str,
    )
    def test_types(self, values: Any, parts: list[str]) -> None:
        refused(values, *parts)

    @pytest.mark.parametrize(
        ("section", "name", "value"),
        [
            ("architecture", "levels", 0),
            ("architecture", "steps", 0),
            ("architecture", "plain_steps", -1),
            ("architecture", "hidden_channels", 0),
            ("architecture", "encoder_features", 0),
            ("architecture", "encoder_growth", -3),
            ("architecture", "encoder_blocks", 0),
            ("architecture", "bins", 0),
            ("architecture", "h_noise", -0.1),
            ("architecture", "scale_eps", -0.1),
            ("architecture", "scale_bound", 0),
            ("architecture", "shift_start", 0),
            ("architecture", "split_after", [3]),
            ("architecture", "split_after", [0]),
            ("architecture", "split_after", [2, 1]),
            ("architecture", "split_after", [1, 1]),
            ("architecture", "stack_blocks", [23]),
            ("architecture", "stack_blocks", [-1]),
            ("data", "crop", 7),
            ("data", "clean_downsample", []),
            ("data", "clean_downsample", [4, 0]),
            ("training", "steps", 0),
            ("training", "batch", 7),
            ("training", "batch", 0),
            ("training", "learning_rate", 0),
            ("training", "betas", [0.9, 1.0]),
            ("training", "warmup", -1),
            ("training", "clip_norm", -1.0),
            ("training", "shift_rate_factor", -1.0),
            ("training", "encoder_delay", -0.1),
            ("training", "seed", -1),
            ("training", "seed", 2**32),
            ("training", "checkpoint_every", 0),
            ("training", "image_every", -1),
            ("training", "log_every", 0),
            ("training", "max_skipped", 0),
            ("training", "workers", -1),
            ("training", "devices", 0),
        ],
    )
    def test_ranges(self, section: str, name: str, value: Any) -> None:
        refused({section: {name: value}}, f"'{section}'", name, "expected" if name != "h_noise" else "not negative")

    def test_a_batch_that_the_devices_cannot_share(self) -> None:
        refused({"training": {"batch": 6, "devices": 2}}, "batch is 6 on 2 device(s)", "multiple of 4")

    def test_statistics_that_are_none(self) -> None:
        values = to_dict(NORMALIZATION)
        values["clean"]["std"][1] = 0.0
        refused(values, "'clean'", "std is", cls=Normalization)

    @settings(deadline=None, max_examples=200)
    @given(values=plain, section=st.sampled_from(list(NAMES)), data=st.data())
    def test_whatever_comes_is_taken_or_told(self, values: Any, section: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([*NAMES[section], "unheard_of"]))
        for nested in (values, {section: values}, {section: {name: values}}):
            message = told(partial(from_dict, Run, nested, "run.yaml"))
            assert message is None or (message.startswith("run.yaml: ") and "\n" not in message)


class TestOverride:
    def test_by_full_and_by_short_name(self) -> None:
        run = override(Run(), ["training.steps=500", "crop=64", "architecture.steps=2", "learning_rate=1e-4"])
        assert (run.training.steps, run.data.crop, run.architecture.steps) == (500, 64, 2)
        assert run.training.learning_rate == 1e-4

    def test_the_last_one_counts(self) -> None:
        assert override(Run(), ["crop=64", "data.crop=96"]).data.crop == 96

    @pytest.mark.parametrize(
        ("assignment", "section", "name", "value"),
        [
            ("factor=null", "architecture", "factor", None),
            ("stack_blocks=[]", "architecture", "stack_blocks", ()),
            ("stack_blocks=[0, 3]", "architecture", "stack_blocks", (0, 3)),
            ("halve_at=[0.5,0.75]", "training", "halve_at", (0.5, 0.75)),
            ("learning_rate=5e-5", "training", "learning_rate", 5e-5),
            ("flip=false", "data", "flip", False),
            ("data.clean=some where/a=b", "data", "clean", "some where/a=b"),
            ("data.clean=[", "data", "clean", "["),
            ("data.clean=2021-13-45", "data", "clean", "2021-13-45"),
            ("data.clean=", "data", "clean", None),
        ],
    )
    def test_values(self, assignment: str, section: str, name: str, value: object) -> None:
        assert getattr(getattr(override(Run(), [assignment]), section), name) == value

    def test_without_changes_nothing_changes(self) -> None:
        for run in PRESETS.values():
            assert override(run, []) == run

    def test_inside_the_normalization(self) -> None:
        run = replace(Run(), architecture=Architecture(normalization=NORMALIZATION))
        changed = override(run, ["architecture.normalization.clean.mean=[0.1, 0.2, 0.3]"])
        assert changed.architecture.normalization is not None
        assert changed.architecture.normalization.clean.mean == (0.1, 0.2, 0.3)
        assert changed.architecture.normalization.degraded == NORMALIZATION.degraded

    @pytest.mark.parametrize(
        ("assignment", "parts"),
        [
            ("crop", ["'crop' has no value", "name=value"]),
            ("corp=3", ["unknown setting 'corp'", "did you mean 'data.crop'"]),
            ("trainin.batch=4", ["unknown setting 'trainin.batch'", "did you mean 'training.batch'"]),
            ("data.batch=4", ["unknown setting 'data.batch'", "did you mean"]),
            ("=4", ["unknown setting ''"]),
            ("steps=4", ["'steps' stands for several settings: architecture.steps, training.steps"]),
            ("architecture.normalization.clean.mean=[0, 0, 0]", ["'normalization' is not set"]),
            ("crop=wide", ["'data.crop'", "'wide'"]),
            ("batch=7", ["batch is 7"]),
            ("stack_blocks=(0,)", ["'architecture.stack_blocks'"]),
        ],
    )
    def test_mistakes(self, assignment: str, parts: list[str]) -> None:
        with pytest.raises(UserError) as error:
            override(Run(), [assignment])
        message = str(error.value)
        assert message.startswith("--set ")
        assert "\n" not in message
        assert all(part in message for part in parts), message

    @settings(deadline=None, max_examples=200)
    @given(name=st.sampled_from(["crop", "clean", "factor", "halve_at", "normalization"]) | st.text(), value=st.text())
    def test_whatever_comes_is_taken_or_told(self, name: str, value: str) -> None:
        message = told(lambda: override(Run(), [f"{name}={value}"]))
        assert message is None or message.startswith("--set ")


class TestReadYaml:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "holds no settings"),
            ("- 1", "holds no settings"),
            ("text", "holds no settings"),
            ("a: [", "not valid YAML"),
            ("a: b: c", "not valid YAML"),
            ("\tx: 1", "not valid YAML"),
            ("a: 2021-13-45", "not valid YAML"),
            ("a: !!python/object/apply:os.getcwd []", "not valid YAML"),
            ("? [1]\n: 2", "not valid YAML"),
            ("\0", "not valid YAML"),
        ],
    )
    def test_other_texts(self, text: str, reason: str, tmp_path: Path) -> None:
        path = tmp_path / "run.yaml"
        path.write_text(text)
        with pytest.raises(UserError) as error:
            read_yaml(path)
        assert str(path) in str(error.value)
        assert reason in str(error.value)
        assert "\n" not in str(error.value)

    def test_other_encodings(self, tmp_path: Path) -> None:
        (tmp_path / "run.yaml").write_bytes("data: {clean: bücher}".encode("latin-1"))
        with pytest.raises(UserError, match="not valid YAML"):
            read_yaml(tmp_path / "run.yaml")

    def test_missing_or_a_folder(self, tmp_path: Path) -> None:
        for path in (tmp_path / "no.yaml", tmp_path):
            with pytest.raises(UserError, match=r"cannot be read \(.+\); give a YAML file"):
                read_yaml(path)

    def test_other_alphabets(self, tmp_path: Path) -> None:
        (tmp_path / "run.yaml").write_text("data: {clean: 写真/bücher}", encoding="utf-8")
        assert read_yaml(tmp_path / "run.yaml") == {"data": {"clean": "写真/bücher"}}


@pytest.mark.parametrize("name", ["2021", "1e5", "inf", "null", "a=b", "[x]"])
def test_a_folder_may_be_called_like_a_number(name: str) -> None:
    assert override(Run(), [f"data.clean={json.dumps(name)}"]).data.clean == name


def test_a_number_for_a_folder_needs_no_quotes() -> None:
    assert override(Run(), ["data.kernels=2021"]).data.kernels == "2021"
