"""Flows made by hand, stored and loaded without a line of pickle."""

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import flowkit
from flowkit import (
    MADE,
    Chain,
    Checkerboard,
    ClassConditional,
    ContextMap,
    ConvConditioner,
    Coupling,
    DiagonalNormal,
    Elementwise,
    FactorOut,
    FixedAffine,
    Flow,
    Inverse,
    LUConv1x1,
    MaskedAutoregressive,
    MaskedCoupling,
    MultiScale,
    NeuralODE,
    Permutation,
    RationalQuadraticSpline,
    Residual,
    Reversible,
    Squeeze,
    StandardNormal,
    TorchDistribution,
    ZeroConv2d,
    load_model,
    save_model,
)
from flowkit.bijectors import ExactLogDet, RungeKutta4
from flowkit.models import storable
from flowkit.models.architecture import build, describe
from flowkit.nn import LipschitzMLP, TimeMLP
from flowkit.testing.subject import perturb
from flowkit.transforms import Affine, SigmoidScale


@storable
class Shifted(nn.Module):
    """A user's own network, one of whose arguments is a tensor that is no part of its state."""

    def __init__(self, network: nn.Module, shift: Tensor) -> None:
        super().__init__()
        self.network = network
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x) + self.shift


class Undeclared(nn.Linear):
    """A network that nobody declared."""


def vectors() -> Flow:
    tied = Coupling(3, nn.Sequential(nn.Linear(1, 8), nn.ELU(0.5), nn.Linear(8, 4)), Affine(SigmoidScale()), 1)
    own = Coupling(3, Shifted(nn.Linear(2, 2), torch.rand(2)), event_dims=1, mask=torch.tensor([True, False, True]))
    parts = [
        FixedAffine(torch.randn(3), torch.rand(3) + 1),
        tied,
        Permutation(torch.tensor([2, 0, 1])),
        tied,
        own,
        Inverse(MaskedAutoregressive(3, MADE(3, 2, hidden=(8,), activation=nn.Tanh, order=(1, 0, 2)))),
        Elementwise(RationalQuadraticSpline(4, max_ratio=50.0), (3,)),
        Residual(LipschitzMLP(3, (8,)), ExactLogDet()),
        NeuralODE(TimeMLP(3, (8,)), solver=RungeKutta4(4)),
    ]
    base = TorchDistribution(torch.distributions.Laplace, loc=nn.Parameter(torch.zeros(3)), scale=torch.ones(3))
    return Flow(Chain(parts, activations=Reversible()), base, (3,))


def images() -> Flow:
    level = Chain([Squeeze(), LUConv1x1(4), Coupling(4, ConvConditioner(2, 4, 4))])
    checkerboard = MaskedCoupling(Checkerboard(1), ZeroConv2d(1, 2))
    bijector = Chain([checkerboard, MultiScale([level, Squeeze()], [FactorOut(4, ZeroConv2d(2, 4))])])
    return Flow(bijector, StandardNormal(event_dims=3), (1, 4, 4))


def labelled() -> Flow:
    return Flow(Permutation([1, 0]), ClassConditional([DiagonalNormal(2), DiagonalNormal(2)]), (2,), label_dims=0)


FLOWS: dict[str, Callable[[], Flow]] = {"vectors": vectors, "images": images, "labelled": labelled}


def made(name: str) -> Flow:
    torch.manual_seed(0)
    flow = FLOWS[name]()
    for module in flow.modules():
        if hasattr(module, "mark_initialized"):
            module.mark_initialized()
    perturb(flow, 0.3)
    return flow.eval()


def results(flow: Flow) -> Tensor:
    x = torch.randn(4, *(flow.event_shape or ()), generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 1, 1, 0]) if flow.base.takes_label else None
    return flow.log_prob(x.to(next(flow.parameters()).dtype), label=label)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flow_made_by_hand_comes_back(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    flow = made(name).to(dtype)
    save_model(flow, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded, Flow)
    assert torch.equal(results(loaded), results(flow))
    assert loaded.event_shape == flow.event_shape
    save_model(loaded, tmp_path / "again")
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "model" / file).read_bytes()


@pytest.mark.parametrize("name", FLOWS)
def test_a_copy_is_stored_as_the_original(name: str, tmp_path: Path) -> None:
    flow = made(name)
    for i, other in enumerate((copy.deepcopy(flow), pickle.loads(pickle.dumps(flow)))):
        save_model(other, tmp_path / str(i))
        assert torch.equal(results(load_model(tmp_path / str(i))), results(flow))  # type: ignore[arg-type]


def test_what_is_shared_is_shared_again(tmp_path: Path) -> None:
    save_model(made("vectors"), tmp_path)
    parts = load_model(tmp_path).bijector.parts  # type: ignore[union-attr]
    assert parts[1] is parts[3]


def test_arguments_that_cannot_be_copied_are_not_kept() -> None:
    chain = Chain(part for part in [Squeeze(), ContextMap(Squeeze(), lambda context: context)])
    assert isinstance(copy.deepcopy(Chain(part for part in [Squeeze()])), Chain)
    with pytest.raises(ValueError, match="Chain was made with a generator, which no file can hold: register"):
        describe(chain)


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (lambda: Chain([ContextMap(Squeeze(), lambda c: c)]), "ContextMap was made with a function, which no file"),
        (lambda: Coupling(4, Undeclared(2, 4)), "Coupling holds a Undeclared, which no file may name: declare"),
    ],
)
def test_what_no_file_can_hold_is_refused(flow: Callable[[], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        save_model(Flow(flow(), StandardNormal(3)), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_flow_whose_parts_were_exchanged_is_refused(tmp_path: Path) -> None:
    flow = labelled()
    flow.bijector = Permutation([0, 1])
    with pytest.raises(ValueError, match="a Flow was made with a Permutation that it no longer holds"):
        save_model(flow, tmp_path / "model")
    changed = [labelled(), flowkit.realnvp(2, layers=2), flowkit.realnvp(2, layers=2)]
    changed[0].base.register_buffer("more", torch.zeros(1))
    changed[1].bijector[0].transform = Affine()
    changed[2].bijector.append(flowkit.LULinear(2))
    for flow in changed:
        with pytest.raises(ValueError, match="was changed since it was made"):
            save_model(flow, tmp_path / "model")
        assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "name", ["subprocess.Popen", "builtins.eval", "torch.nn.functional.relu", "torch.load", "os.system", "Flow", ""]
)
def test_a_file_names_no_other_classes(name: str, tmp_path: Path) -> None:
    save_model(labelled(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["architecture"]["make"] = name
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config\.json: no class .* may be made from a file"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"same": 3}, "has no meaning here"),
        ({"tensor": "7", "parameter": False}, "has no meaning here"),
        ({"make": "flowkit.Reversal", "number": 0, "args": [], "kwargs": {}}, r"a flowkit\.Reversal cannot be made"),
        ({"float": "three"}, "could not convert"),
        (["a list"], "describes a list, not a module"),
    ],
)
def test_a_damaged_description_is_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(data, {})


def test_a_local_class_cannot_be_declared() -> None:
    class Local(nn.Module):
        pass

    with pytest.raises(ValueError, match="is local to a function"):
        storable(Local)
