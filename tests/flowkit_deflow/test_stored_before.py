"""What version 0.1.0 wrote, and what it computed with it: kept in tests/data, written by that version's code."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import flowkit
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.state_files import read_state
from tests.flowkit_deflow.networks import NORMALIZATION, TINY

DATA = Path(__file__).parents[1] / "data" / "version_0.1.0"

# Float32, on machines that add in other orders: images in [0, 1], log-likelihoods of some hundreds relatively.
IMAGES = {"atol": 1e-5, "rtol": 0.0}
LOG_PROB = {"atol": 0.0, "rtol": 1e-5}

ARCHITECTURE = replace(
    TINY, normalization=NORMALIZATION, hidden_channels=4, encoder_features=4, encoder_growth=2, split_after=(1,)
)


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    return load_file(DATA / "deflow_expected.safetensors")


def noise_of_then(use: str, shape: Sequence[int]) -> Tensor:
    """The numbers of version 0.1, which were drawn for the whole image at once."""
    return torch.randn(tuple(shape), generator=seeded_generator(0, "image", use))


def assert_same_results(model: DeFlow, expected: dict[str, Tensor]) -> None:
    images, noise = expected["images"], noise_of_then

    def noise_of_restoring(use: str, shape: Sequence[int]) -> Tensor:
        # The temperature was no factor on the noise in h then.
        return noise(use, shape) / (0.5 if use == "h" else 1)

    got = {
        "degraded": model.degrade(images, 0.5, samples=2, noise=noise),
        "restored": model.restore(images, 0.5, noise=noise_of_restoring),
        "sampled": model.sample(images, Domain.DEGRADED, 0.2, noise=noise),
    }
    for name, result in got.items():
        torch.testing.assert_close(result, expected[name], **IMAGES, msg=lambda text, name=name: f"{name}: {text}")
    generator = torch.Generator().manual_seed(0)
    log_prob = model.log_prob(images[..., :8, :8], torch.tensor([0, 1]), generator=generator)
    torch.testing.assert_close(log_prob.detach(), expected["log_prob"], **LOG_PROB)


def test_it_is_of_the_first_format() -> None:
    config = json.loads((DATA / "deflow" / "config.json").read_text())
    assert config.keys() == {"format", "architecture"}
    assert config["format"] == "flowkit-deflow 1"


def test_a_model_folder(expected: dict[str, Tensor]) -> None:
    model = DeFlow.from_pretrained(DATA / "deflow")
    assert model.config == ARCHITECTURE
    assert_same_results(model, expected)


def test_a_model_folder_as_any_degrader(expected: dict[str, Tensor]) -> None:
    model = load_degrader(DATA / "deflow")
    assert isinstance(model, DeFlow)
    assert_same_results(model, expected)


def test_it_is_written_again_in_the_format_of_today(tmp_path: Path, expected: dict[str, Tensor]) -> None:
    DeFlow.from_pretrained(DATA / "deflow").save_pretrained(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["format"] == "flowkit-deflow 2"
    assert_same_results(DeFlow.from_pretrained(tmp_path / "model"), expected)


def test_a_bare_state_dict(expected: dict[str, Tensor]) -> None:
    model = DeFlow(ARCHITECTURE)
    model.load_state_dict(read_state(DATA / "deflow_state_dict.pth"))
    assert_same_results(model.eval(), expected)


def test_a_flow_that_flowkit_stored() -> None:
    flow = flowkit.load_model(DATA / "glow")
    assert isinstance(flow, flowkit.Flow)
    recorded = load_file(DATA / "glow_expected.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(flow.log_prob(recorded["images"]), recorded["log_prob"], **LOG_PROB)
        samples = flow.sample(2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(samples, recorded["samples"], atol=1e-5, rtol=1e-5)
