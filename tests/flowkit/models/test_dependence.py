"""What each feature of autoregressive models depends on, and how many passes the slower direction takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import flowkit
from flowkit import Flow, create_model
from flowkit.nn.masked_mlp import MaskedMLP, adjacency_in_passes
from flowkit.testing.subject import perturb

FEATURES = 5
MODELS: dict[str, dict[str, Any]] = {
    "maf": {},
    "iaf": {},
    "nsf": {"autoregressive": True, "bins": 4},
    "naf": {"units": 2},
    "unaf": {"signal": 2, "integrand": [4]},
    "sospf": {},
    "bpf": {"degree": 4},
}
# A chain of three features and a pair.
GRAPH = torch.zeros(FEATURES, FEATURES, dtype=torch.bool)
for child, parent in ((1, 0), (2, 1), (4, 3)):
    GRAPH[child, parent] = True

each_model = pytest.mark.parametrize("name", MODELS)


def made(name: str, **settings: Any) -> Flow:
    """A model in double precision, its weights drawn."""
    # Of few units some weights let none see a feature at any point.
    torch.manual_seed(0)
    flow = create_model(name, **({"features": FEATURES, "layers": 2, "hidden": [24]} | MODELS[name] | settings))
    assert isinstance(flow, Flow)
    perturb(flow.double(), 1.0)
    return flow


def depends(function: Callable[[Tensor], Tensor], rows: int) -> Tensor:
    """Which of the function's outputs depends on which feature, at some of many points: ReLUs are flat at others."""
    x = torch.rand(64, FEATURES, dtype=torch.float64) * 2 - 1
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: function(x[None])[0]))(x)
    return (jacobian.abs() > 1e-12).any(0).view(rows, -1, FEATURES).any(1)


@each_model
def test_all_layers_follow_a_graph(name: str) -> None:
    closure = torch.linalg.matrix_power((GRAPH | torch.eye(FEATURES, dtype=torch.bool)).double(), FEATURES) > 0
    bijector = made(name, adjacency=GRAPH).bijector
    found = depends(lambda x: bijector(x)[0], FEATURES)
    assert not (found & ~closure).any()
    assert (found & GRAPH).sum() == GRAPH.sum()


@each_model
@pytest.mark.parametrize(("setting", "passes"), [({"adjacency": GRAPH}, 3), ({"passes": 2}, 2)])
def test_the_other_direction_takes_as_many_passes(name: str, setting: dict[str, Any], passes: int) -> None:
    flow = made(name, **setting)
    calls: list[nn.Module] = []
    networks = [module for module in flow.modules() if isinstance(module, MaskedMLP)]
    assert len(networks) == 2
    for network in networks:
        network.register_forward_hook(lambda module, _inputs, _output: calls.append(module))
    x = torch.randn(4, FEATURES, dtype=torch.float64)
    if name == "iaf":
        flow.bijector(x)
    else:
        flow.bijector.inverse(x)
    assert len(calls) == 2 * passes


@each_model
def test_features_in_two_groups_are_a_coupling(name: str) -> None:
    flow = made(name, layers=1, passes=2)
    (network,) = (module for module in flow.modules() if isinstance(module, MaskedMLP))
    assert torch.equal(depends(network, FEATURES), adjacency_in_passes(FEATURES, 2))


@each_model
def test_a_folder_keeps_a_graph(name: str, tmp_path: Path) -> None:
    flow = made(name, adjacency=GRAPH).eval()
    flowkit.save_model(flow, tmp_path / "model")
    loaded = flowkit.load_model(tmp_path / "model")
    assert isinstance(loaded, Flow)
    x = torch.randn(4, FEATURES, dtype=torch.float64)
    assert torch.equal(loaded.log_prob(x), flow.log_prob(x))


@each_model
def test_what_contradicts_itself_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="two ways to say which features depend on which: give one"):
        made(name, passes=2, adjacency=GRAPH)
    with pytest.raises(ValueError, match="adjacency has 4 rows; the layers see 5 features"):
        made(name, adjacency=GRAPH[:4, :4])
    with pytest.raises(ValueError, match="the graph of adjacency has a cycle"):
        made(name, adjacency=GRAPH | GRAPH.T)


@pytest.mark.parametrize("setting", [{"passes": 2}, {"adjacency": GRAPH}])
def test_couplings_have_no_graph(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"of autoregressive layers: pass autoregressive=True, or leave them out"):
        flowkit.nsf(FEATURES, **setting)
