from dataclasses import replace

import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture, Run
from flowkit_deflow.training.monitors.held_out_crops import Crops
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.monitors.saturation import SATURATION
from flowkit_deflow.training.monitors.snapshot import Encoded, Snapshot
from tests.flowkit_deflow.training.monitors.snapshots import COUNT, SIDE, both, model_with

NOISE = 0.03


def noisy_grey(generator: torch.Generator) -> Tensor:
    return 0.5 + NOISE * torch.randn(COUNT, 3, SIDE, SIDE, generator=generator)


def grey(generator: torch.Generator) -> Tensor:
    return torch.full((COUNT, 3, SIDE, SIDE), 0.5)


class Adapting(Snapshot):
    """Latents are divided by the root of the noise's variance and the crop's own, as a coupling's scale may do."""

    def encode(self, crops: Crops, domain: Domain) -> Encoded:
        deviation = crops.dequantized - 0.5
        scale = (NOISE**2 + deviation.square().mean((1, 2, 3), keepdim=True)).sqrt()
        return Encoded((deviation / scale,), torch.zeros(COUNT))


def finding(value: float, run: Run) -> str:
    history = History()
    history.add(1, {"saturation": value})
    found = SATURATION.find(history, run)
    assert found is not None
    return found.advice


def test_a_linear_flow_is_not_saturated() -> None:
    # Without training, couplings do nothing: what is left is linear. The noise is not independent of clean noise.
    value = SATURATION.measure(Snapshot(model_with(1.0), both(noisy_grey)))["saturation"]
    assert value == pytest.approx(1.0, abs=0.1)


def test_a_scale_that_follows_the_noise_is() -> None:
    crops = {Domain.CLEAN: both(grey)[Domain.CLEAN], Domain.DEGRADED: both(noisy_grey)[Domain.DEGRADED]}
    value = SATURATION.measure(Adapting(model_with(1.0), crops))["saturation"]
    # k^2 / (1 + k^2) at k = 4, over 16, against 1 / 2 at k = 1; the flattest patches have a little less than the noise.
    assert value == pytest.approx(2 / 17, rel=0.1)


def test_without_noise_there_is_nothing_to_measure() -> None:
    assert SATURATION.measure(Snapshot(model_with(1.0), both(grey))) == {}
    assert SATURATION.find(History(), Run()) is None


def test_what_to_do_depends_on_the_coupling() -> None:
    affine = Run(architecture=Architecture(coupling="affine"))
    additive = replace(affine, architecture=Architecture(coupling="additive"))
    assert "architecture.coupling=additive" in finding(0.45, affine)
    assert "additive" not in finding(0.45, additive)
    assert "not linear" in finding(0.45, additive)
    assert finding(0.95, affine) == ""
