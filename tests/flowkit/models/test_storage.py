import builtins
import json
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from flowkit import __version__
from flowkit.models.named.maf import maf
from flowkit.models.named.nsf import nsf
from flowkit.models.recipe import recipe_of
from flowkit.models.registry import create_model
from flowkit.models.storage import load_model, save_model
from flowkit.testing.subject import perturb
from tests.flowkit.installed import Install

SETTINGS: dict[str, Any] = {"features": 2, "layers": 1, "hidden": (4,)}


def small() -> nn.Module:
    torch.manual_seed(0)
    return create_model("maf", **SETTINGS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(small(), tmp_path / "model")
    return tmp_path / "model"


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    config.update(changes)
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def test_the_two_files(folder: Path) -> None:
    assert json.loads((folder / "config.json").read_text()) == {
        "flowkit": __version__,
        "model": "maf",
        "settings": {"features": 2, "layers": 1, "hidden": [4]},
    }
    stored, state = load_file(folder / "model.safetensors"), small().state_dict()
    assert stored.keys() == state.keys()
    assert all(torch.equal(stored[key], state[key]) for key in state)


def test_a_loaded_model_can_be_stored_again(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    assert not model.training
    recipe = recipe_of(model)
    assert recipe is not None
    assert recipe.settings == {"features": 2, "layers": 1, "hidden": [4]}
    save_model(model, str(tmp_path / "again"))
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_the_dtype_is_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    model = small().to(dtype)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert {parameter.dtype for parameter in loaded.parameters()} == {dtype}
    # What only knows where samples are to be drawn is not stored, but goes along.
    assert loaded.base.sample(1, (2,)).dtype == dtype  # type: ignore[union-attr, operator]


def test_each_of_several_dtypes_is_kept(tmp_path: Path) -> None:
    model = small()
    parameters = dict(model.named_parameters())
    name = next(iter(parameters))
    parameters[name].data = parameters[name].data.double() + 1e-12
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model").state_dict()
    assert {key for key, value in loaded.items() if value.dtype == torch.float64} == {name}
    assert torch.equal(loaded[name], parameters[name])


def test_numbers_that_are_no_numbers_come_through(tmp_path: Path) -> None:
    model = small()
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert next(loaded.parameters()).isnan().all()


def test_tensors_on_views_and_shared_ones_are_stored(tmp_path: Path) -> None:
    model = small()
    parameter = next(model.parameters())
    parameter.data = parameter.data.T.contiguous().T
    save_model(model, tmp_path / "model")
    assert torch.equal(next(load_model(tmp_path / "model").parameters()), parameter)


MODULE = """
import torch
from torch import nn
from flowkit import Plugin


class Tied(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.one = nn.Linear(size, size)
        self.other = self.one
        self.register_buffer("steps", torch.tensor(0))


class Odd(nn.Module):
    def get_extra_state(self):
        return {"not": "a tensor"}


plugin = Plugin(models={"tied": Tied, "odd": Odd})
"""


def test_a_plugin_s_models_are_stored_too(install: Install, tmp_path: Path) -> None:
    install("fk_test_stored", MODULE, "demo = fk_test_stored:plugin")
    model = create_model("tied", size=2)
    model.steps.fill_(7)  # type: ignore[union-attr, operator]
    save_model(model.double(), tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.steps.item() == 7  # type: ignore[union-attr, operator]
    assert loaded.steps.dtype == torch.int64
    assert loaded.one.weight.dtype == torch.float64  # type: ignore[union-attr]
    # What the model shares, it still shares.
    assert loaded.one.weight is loaded.other.weight  # type: ignore[union-attr]
    assert torch.equal(loaded.one.weight, model.one.weight)  # type: ignore[union-attr, arg-type]
    with pytest.raises(ValueError, match="entry '_extra_state' is a dict; only tensors can be stored"):
        save_model(create_model("odd"), tmp_path / "odd")


def test_a_model_before_is_replaced_and_anything_else_is_not(folder: Path) -> None:
    save_model(create_model("nice", features=2, hidden=[4]), folder)
    recipe = recipe_of(load_model(folder))
    assert recipe is not None
    assert recipe.name == "nice"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"model: holds 'notes\.txt', which replacing the folder would delete"):
        save_model(small(), folder)
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(FileExistsError, match="a file has that name"):
        save_model(small(), folder / "notes.txt")


def test_a_failure_leaves_the_model_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            save_model(create_model("nice", features=2), folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize("value", [torch.zeros(1), float("inf"), {1: 2}, Level.LOW, {3}, [object()]])
def test_settings_that_json_cannot_hold_are_refused(install: Install, tmp_path: Path, value: Any) -> None:
    module = "from torch import nn\nfrom flowkit import Plugin\nplugin = Plugin(models={'any': nn.Identity})\n"
    install("fk_test_any", module, "demo = fk_test_any:plugin")
    with pytest.raises(ValueError, match=r"the setting 'odd' of the model 'any' holds .*, which cannot be stored"):
        save_model(create_model("any", odd=value), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_settings_of_every_plain_kind_come_through(install: Install, tmp_path: Path) -> None:
    module = "from torch import nn\nfrom flowkit import Plugin\nplugin = Plugin(models={'any': nn.Identity})\n"
    install("fk_test_any", module, "demo = fk_test_any:plugin")
    settings = {"a": 1, "b": 0.1, "c": "é", "d": None, "e": True, "f": [1, [2.5]], "g": {"h": ["i"]}}
    save_model(create_model("any", **settings), tmp_path / "model")
    recipe = recipe_of(load_model(tmp_path / "model"))
    assert recipe is not None
    assert recipe.settings == settings


def test_a_wrapper_is_refused(tmp_path: Path) -> None:
    # Its state dict has other names.
    with pytest.raises(ValueError, match=r"DataParallel does not know its settings: .* give the model within"):
        save_model(nn.DataParallel(small()), tmp_path / "model")


def test_a_model_by_its_function_is_stored_as_one_by_name(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_model(maf(2, 1, (4,)), tmp_path / "by function")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "by function" / name).read_bytes() == (folder / name).read_bytes()


def test_a_standardisation_is_stored_and_the_data_are_not(tmp_path: Path) -> None:
    data = 1000 + 300 * torch.randn(50, 2)
    for name, flow in (
        ("class", maf(2, standardize=data)),
        ("name", create_model("maf", features=2, standardize=data)),
    ):
        save_model(flow, tmp_path / name)
        loaded = load_model(tmp_path / name)
        assert torch.equal(loaded.log_prob(data), flow.log_prob(data))  # type: ignore[operator]
        assert json.loads((tmp_path / name / "config.json").read_text())["settings"]["standardize"] is True
        save_model(loaded, tmp_path / name)


def test_a_spline_flow_of_version_0_1_has_the_splines_of_then(tmp_path: Path) -> None:
    flow = nsf(2, layers=1, hidden=(4,), max_ratio=None)
    perturb(flow, 2.0)
    save_model(flow, tmp_path)
    settings = {"features": 2, "layers": 1, "hidden": [4]}
    edit(tmp_path, flowkit="0.1.0", settings=settings)
    x = torch.randn(20, 2)
    assert torch.equal(load_model(tmp_path).log_prob(x), flow.log_prob(x))  # type: ignore[operator]
    edit(tmp_path, flowkit="0.2.0")
    assert not torch.equal(load_model(tmp_path).log_prob(x), flow.log_prob(x))  # type: ignore[operator]


class TestWrongFolders:
    def test_missing_ones(self, tmp_path: Path, folder: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
            load_model(tmp_path / "nowhere")
        (folder / "model.safetensors").unlink()
        with pytest.raises(FileNotFoundError, match=r"model\.safetensors: no such file"):
            load_model(folder)
        (folder / "config.json").unlink()
        with pytest.raises(FileNotFoundError, match=r"config\.json: no such file"):
            load_model(folder)

    def test_damaged_settings(self, folder: Path) -> None:
        (folder / "config.json").write_text('{"model": ')
        with pytest.raises(ValueError, match=r"config\.json: is not valid JSON"):
            load_model(folder)
        (folder / "config.json").write_bytes(b"\xff\xfe")
        with pytest.raises(ValueError, match=r"config\.json: is not valid JSON"):
            load_model(folder)
        (folder / "config.json").write_text("[]")
        with pytest.raises(ValueError, match=r"config\.json: holds a list, expected an object"):
            load_model(folder)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"model": None}, "has no 'model', the model's name"),
            ({"model": 3}, "'model' is 3, expected the model's name, a str"),
            ({"settings": [1]}, r"'settings' is \[1\], expected the model's settings, a dict"),
            ({"more": 1}, "has 'more', expected flowkit, model, settings alone"),
            ({"model": "mag"}, "there is no model 'mag'; did you mean 'maf'"),
            ({"settings": {"features": 2, "depth": 1}}, "model 'maf' cannot be built: .*'depth'"),
            ({"settings": {"features": 0}}, "model 'maf' cannot be built: features is 0"),
            ({"settings": {"features": "2"}}, "model 'maf' cannot be built: maf: features is '2'"),
        ],
    )
    def test_other_settings(self, folder: Path, changes: dict[str, Any], message: str) -> None:
        edit(folder, **changes)
        with pytest.raises(ValueError, match=rf"config\.json: {message}"):
            load_model(folder)

    def test_damaged_weights(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(ValueError, match=r"model\.safetensors: is no valid safetensors file"):
            load_model(folder)

    def test_other_weights(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        state = load_file(path)
        key = "bijector.bijectors.0.conditioner.layers.0.bias"
        save_file({k: v for k, v in state.items() if k != key}, path)
        with pytest.raises(ValueError, match=rf"model\.safetensors: has no '{key}', which the model 'maf' of config"):
            load_model(folder)
        save_file(state | {key: torch.zeros(5)}, path)
        with pytest.raises(ValueError, match=rf"safetensors: '{key}' has the shape \(5,\), expected \(4,\) for"):
            load_model(folder)
        save_file(state | {"odd": torch.zeros(5)}, path)
        with pytest.raises(ValueError, match=r"safetensors: has 'odd', which the model 'maf' of config\.json does not"):
            load_model(folder)


def test_without_safetensors_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "safetensors":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for call in (lambda: load_model(folder), lambda: save_model(small(), folder)):
        with pytest.raises(ImportError, match=r'pip install "flowkit-core\[io\]"'):
            call()
