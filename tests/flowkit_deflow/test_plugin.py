import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import flowkit
import flowkit_deflow
from flowkit.testing import PROPERTIES, inverted_case
from flowkit.testing.pytest import contract_tests
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.plugin import PLUGIN
from flowkit_deflow.settings.presets import PRESETS
from tests.flowkit_deflow.networks import NORMALIZATION

METADATA = Path(flowkit_deflow.__file__).parent / "pyproject.toml"
if not METADATA.exists():
    # An installed package leaves it behind: then that of the working tree beside the tests.
    METADATA = Path(__file__).parents[2] / "flowkit_deflow" / "pyproject.toml"


def declared() -> dict[str, str]:
    points: dict[str, str] = tomllib.loads(METADATA.read_text())["project"]["entry-points"]["flowkit.plugins"]
    return points


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installer writes, so that the tests need no installation."""
    folder = tmp_path / "flowkit_deflow-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: flowkit-deflow\nVersion: 0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in declared().items())
    (folder / "entry_points.txt").write_text(f"[flowkit.plugins]\n{lines}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


def test_the_entry_point_leads_to_it() -> None:
    points = [EntryPoint(name, value, "flowkit.plugins").load() for name, value in declared().items()]
    assert points == [PLUGIN]


@pytest.mark.usefixtures("installed")
class TestThroughTheRegistry:
    def test_every_preset_is_a_model(self) -> None:
        assert set(flowkit.list_models()) >= {f"deflow-{name}" for name in PRESETS}
        assert set(PLUGIN.models) == {f"deflow-{name}" for name in PRESETS}

    @pytest.mark.parametrize("name", ["small", "tiny"])
    def test_models_by_name(self, name: str) -> None:
        model = flowkit.create_model(f"deflow-{name}")
        assert isinstance(model, DeFlow)
        assert model.config == PRESETS[name].architecture.as_published()

    @pytest.mark.parametrize(
        "settings",
        [
            {"factor": None},
            {"stack_blocks": ()},
            {"stack_blocks": (0, 1), "encoder_blocks": 2},
            {"hidden_channels": 16, "h_noise": 1e-5},
            {"shift": "none"},
            {"normalization": NORMALIZATION},
        ],
        ids=str,
    )
    def test_settings_as_python_values(self, settings: dict[str, Any]) -> None:
        model = flowkit.create_model("deflow-tiny", **settings)
        assert isinstance(model, DeFlow)
        for name, value in settings.items():
            assert getattr(model.config, name) == value
        assert model.config.levels == PRESETS["tiny"].architecture.levels

    def test_unknown_settings_and_values(self) -> None:
        with pytest.raises(UserError, match="'hiden_channels'; did you mean 'hidden_channels'"):
            flowkit.create_model("deflow-tiny", hiden_channels=3)
        with pytest.raises(UserError, match="'factor'"):
            flowkit.create_model("deflow-tiny", factor=5)

    def test_the_nearest_name_is_proposed(self) -> None:
        with pytest.raises(KeyError, match="did you mean 'deflow-small'"):
            flowkit.create_model("deflow-smal")


# Turned round, the graphs are those that were captured before.
UNCOMPILED = [prop for prop in PROPERTIES if prop.id != "compile"]

test_contract = contract_tests(PLUGIN.bijectors, seeds=(0,))
test_contract_turned_round = contract_tests(
    {name: inverted_case(case) for name, case in PLUGIN.bijectors.items()}, seeds=(0,), properties=UNCOMPILED
)
