"""A network's layers are called: hooks fire, replaced layers count, pruning and parametrisations have their effect."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from flowkit import MADE, MLP, ConvConditioner, MaskedAutoregressive, ResidualMLP, initialize
from flowkit.nn import Conv2d, MixedResolution, TimeMLP

Call = Callable[[], Tensor]


def convolutional() -> tuple[nn.Module, Call]:
    network = ConvConditioner(2, 6, hidden_channels=5, context_channels=3)
    x, context = torch.rand(4, 2, 6, 5), MixedResolution(torch.rand(4, 1, 6, 5), torch.rand(4, 2, 6, 5))
    initialize(network, x, network.prepare(context))
    return network, lambda: network(x, network.prepare(context))


def vector(network: nn.Module, *before: Tensor) -> tuple[nn.Module, Call]:
    x, context = torch.rand(4, 2), torch.rand(4, 3)
    return network, lambda: network(*before, x, network.prepare(context))


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Call]]] = {
    "ConvConditioner": convolutional,
    "MLP": lambda: vector(MLP(2, 6, (5, 5), 3)),
    "ResidualMLP": lambda: vector(ResidualMLP(2, 6, 5, context_features=3)),
    "MADE": lambda: vector(MADE(2, 3, (5, 5), 3)),
    "TimeMLP": lambda: vector(TimeMLP(2, (5, 5), 3), torch.tensor(0.5)),
}
MODES = pytest.mark.parametrize(("grad", "training"), [(True, True), (True, False), (False, False)])


@pytest.fixture(params=NETWORKS)
def made(request: pytest.FixtureRequest) -> tuple[nn.Module, Call]:
    torch.manual_seed(0)
    network, call = NETWORKS[request.param]()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network, call


def weighted(network: nn.Module) -> dict[str, nn.Module]:
    return {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


@MODES
def test_hooks_of_every_layer_fire(made: tuple[nn.Module, Call], grad: bool, training: bool) -> None:
    network, call = made
    network.train(training)
    fired: set[str] = set()
    called = [name for name, m in network.named_modules() if name and not isinstance(m, nn.ModuleList | nn.Sequential)]
    for name in called:
        network.get_submodule(name).register_forward_hook(lambda *_, name=name: fired.add(name))
    with torch.set_grad_enabled(grad):
        call()
    # An actnorm's log-scale is a parameter, not the result of the scale that a network's raw output goes through.
    assert fired == {name for name in called if not name.endswith("transform.scale")}


@MODES
def test_a_hook_that_changes_the_output_counts(made: tuple[nn.Module, Call], grad: bool, training: bool) -> None:
    network, call = made
    network.train(training)
    with torch.set_grad_enabled(grad):
        for layer in weighted(network).values():
            before = call()
            handle = layer.register_forward_hook(lambda module, args, output: output + 1.0)
            changed = call()
            handle.remove()
            assert not torch.allclose(changed, before)
            torch.testing.assert_close(call(), before)


@MODES
def test_a_replaced_layer_counts(made: tuple[nn.Module, Call], grad: bool, training: bool) -> None:
    class Shifted(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def prepare(self, context: Any) -> Any:
            return self.inner.prepare(context)

        def forward(self, *args: Any) -> Tensor:
            return self.inner(*args) + 1.0

    network, call = made
    with torch.set_grad_enabled(grad):
        for name, layer in weighted(network).items():
            network.train(training)
            before = call()
            parent = network.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], Shifted(layer))
            network.train(training)
            assert not torch.allclose(call(), before)
            setattr(parent, name.rpartition(".")[2], layer)


@MODES
def test_pruning_has_its_effect_step_after_step(made: tuple[nn.Module, Call], grad: bool, training: bool) -> None:
    network, call = made
    network.train(training)
    layers = weighted(network)
    for layer in layers.values():
        prune.random_unstructured(layer, "weight", amount=0.5)
    with torch.set_grad_enabled(grad):
        for _ in range(2):
            got = call()
            plain = {name: (layer.weight_orig * layer.weight_mask).detach() for name, layer in layers.items()}
            if grad:
                got.square().sum().backward()
            with torch.no_grad():
                for layer in layers.values():
                    layer.weight_orig.mul_(1.1)
            for layer in layers.values():
                prune.remove(layer, "weight")
                with torch.no_grad():
                    layer.weight.copy_(plain[next(name for name, its in layers.items() if its is layer)])
            torch.testing.assert_close(call(), got, atol=1e-5, rtol=1e-5)
            for layer in layers.values():
                prune.random_unstructured(layer, "weight", amount=0.5)


@MODES
def test_a_parametrisation_has_its_effect(made: tuple[nn.Module, Call], grad: bool, training: bool) -> None:
    class Halved(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight / 2

    network, call = made
    network.train(training)
    layers = weighted(network)
    for layer in layers.values():
        parametrize.register_parametrization(layer, "weight", Halved())
    with torch.set_grad_enabled(grad):
        got = call()
        call()
        for layer in layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        torch.testing.assert_close(got, call(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["hook", "pruned", "replaced"])
def test_inverting_an_autoregressive_layer_calls_them_too(kind: str) -> None:
    torch.manual_seed(0)
    network = MADE(3, 2, (8,)).double()
    with torch.no_grad():
        network.layers[-1].weight.normal_()
    layer, x = MaskedAutoregressive(3, network), torch.randn(5, 3, dtype=torch.float64)
    if kind == "hook":
        network.layers[-1].register_forward_hook(lambda module, args, output: 0.5 * output)
    elif kind == "pruned":
        prune.random_unstructured(network.layers[0], "weight", amount=0.5)
        with torch.no_grad():
            network.layers[0].weight_orig.mul_(2)
    else:
        network.activations[0] = nn.Tanh()
    torch.testing.assert_close(layer.inverse(layer(x)[0])[0], x)


def test_folding_gives_way_to_a_subclass() -> None:
    class Doubled(Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    network = ConvConditioner(2, 6, hidden_channels=5)
    network.conv2 = Doubled(5, 5, 1, bias=False)
    x = torch.rand(2, 2, 4, 4)
    initialize(network, x)
    with torch.no_grad():
        network.conv3.conv.weight.normal_()
        network.eval()
        hidden = torch.relu(network.norm1(network.conv1(x))[0])
        expected = network.conv3(torch.relu(network.norm2(2 * nn.Conv2d.forward(network.conv2, hidden))[0]))
        torch.testing.assert_close(network(x), expected, atol=1e-5, rtol=1e-5)
