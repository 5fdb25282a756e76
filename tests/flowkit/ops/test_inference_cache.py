import copy
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from flowkit import Flow, create_model
from flowkit.ops.inference_cache import InferenceCache


class Doubled(nn.Linear):
    """Multiplies by twice its weight, which inference makes once."""

    def __init__(self) -> None:
        super().__init__(3, 3, bias=False)
        self.cache = InferenceCache()
        self.made = 0

    def forward(self, input: Tensor) -> Tensor:
        if torch.is_grad_enabled() or type(self.weight) is not nn.Parameter:
            return input @ self.doubled().mT
        return input @ self.cache.get([self.weight], "doubled", self.doubled).mT

    def doubled(self) -> Tensor:
        self.made += 1
        return 2 * self.weight


X = torch.arange(6.0).view(2, 3)


def right(layer: Doubled, x: Tensor = X) -> bool:
    with torch.no_grad():
        return torch.equal(layer(x), x @ (2 * layer.weight).mT)


def step(layer: Doubled, **options: bool) -> None:
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1, **options)
    layer(X).sum().backward()
    optimizer.step()


def replace_data(layer: Doubled) -> None:
    layer.weight.data = torch.randn(3, 3)


def new_parameter(layer: Doubled) -> None:
    layer.weight = nn.Parameter(torch.randn(3, 3))


CHANGES: dict[str, Callable[[Doubled], object]] = {
    "load_state_dict": lambda layer: layer.load_state_dict({"weight": torch.randn(3, 3)}),
    "load_state_dict, assigned": lambda layer: layer.load_state_dict({"weight": torch.randn(3, 3)}, assign=True),
    "adam": lambda layer: step(layer, foreach=False),
    "adam, foreach": lambda layer: step(layer, foreach=True),
    "adam, fused": lambda layer: step(layer, fused=True),
    "in place": lambda layer: layer.weight.detach().add_(1),
    "through .data": lambda layer: layer.weight.data.mul_(3),
    "one row through .data": lambda layer: layer.weight.data[1].zero_(),
    ".data replaced": replace_data,
    "another parameter": new_parameter,
    "a vector": lambda layer: nn.utils.vector_to_parameters(torch.randn(9), layer.parameters()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(change: Callable[[Doubled], object]) -> None:
    layer = Doubled()
    assert right(layer)
    assert right(layer)
    assert layer.made == 1
    for _ in range(3):
        change(layer)
        assert right(layer)


@pytest.mark.parametrize("shape", [(1000, 3), (300, 7, 3, 3), (64, 320, 3, 3), (5000,)])
def test_a_change_of_any_row_through_data_is_seen(shape: tuple[int, ...]) -> None:
    weight, cache = nn.Parameter(torch.zeros(shape)), InferenceCache()
    rows = weight.data if len(shape) > 1 else weight.data.view(50, 100)
    for row in range(0, len(rows), 7):
        with torch.no_grad():
            kept = cache.get([weight], "clone", weight.clone)
            rows[row] += 1
            now = cache.get([weight], "clone", weight.clone)
        assert now is not kept
        assert torch.equal(now, weight)


def test_casting_there_and_back_is_seen() -> None:
    layer = Doubled()
    assert right(layer)
    assert right(layer.to(torch.float64), X.double())
    assert right(layer.to(torch.float32))
    with torch.no_grad():
        layer.to(torch.float64).weight.add_(1)
    assert right(layer.to(torch.float32))


def test_with_gradients_nothing_is_kept() -> None:
    layer = Doubled()
    assert right(layer)
    layer(X).sum().backward()
    expected = layer.weight.grad
    assert expected is not None
    assert torch.equal(expected, 2 * X.sum(0).expand(3, 3))


def test_what_inference_mode_kept_serves_gradients_later() -> None:
    layer = Doubled().requires_grad_(False)
    with torch.inference_mode():
        layer(X)
    x = X.clone().requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None


def test_other_parameters_for_a_call() -> None:
    layer = Doubled()
    assert right(layer)
    weight = torch.randn(3, 3)
    with torch.no_grad():
        assert torch.equal(torch.func.functional_call(layer, {"weight": weight}, (X,)), X @ (2 * weight).mT)
        weights = torch.stack([weight, -weight])
        ensemble = torch.vmap(lambda w: torch.func.functional_call(layer, {"weight": w}, (X,)))(weights)
    torch.testing.assert_close(ensemble, torch.stack([X @ (2 * w).mT for w in weights]))
    assert right(layer)


def test_copies_are_their_own() -> None:
    layer = Doubled()
    assert right(layer)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with torch.no_grad():
            twin.weight.zero_()
        assert right(twin)
    assert right(layer)
    assert layer.made == 1


def test_layers_that_change_elsewhere_do_not_disturb() -> None:
    layer, other = Doubled(), Doubled()
    assert right(layer)
    step(other)
    assert right(layer)
    assert layer.made == 1


def test_threads_share_one_while_one_of_them_records_gradients() -> None:
    model = create_model("realnvp", features=2, layers=3, hidden=(8,)).eval()
    assert isinstance(model, Flow)
    x = torch.randn(5, 2)
    expected = model.log_prob(x).detach()

    def work(recorded: bool) -> bool:
        with torch.set_grad_enabled(recorded):
            return all(torch.allclose(model.log_prob(x), expected, atol=1e-5) for _ in range(100))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as pool:
            assert all(pool.map(work, (True, False, False)))
    finally:
        sys.setswitchinterval(interval)
