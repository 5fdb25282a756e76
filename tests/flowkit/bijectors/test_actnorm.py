from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import ActNorm, Bijector, Chain, Conv1x1, ConvConditioner, Coupling, Inverse, initialize


def images(batch: int = 8, channels: int = 3) -> Tensor:
    """Channels of different means and deviations."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(batch, channels, 5, 7, dtype=torch.float64, generator=generator)
    scale = torch.arange(1.0, channels + 1).view(-1, 1, 1)
    return 4 * scale + scale**2 * noise


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    per_channel = x.movedim(1, 0).flatten(1)
    return per_channel.mean(1), per_channel.var(1, correction=0)


@pytest.mark.parametrize("turn", [lambda b: b, Inverse, lambda b: Inverse(Inverse(b))], ids=["itself", "once", "twice"])
def test_the_first_batch_leaves_with_mean_0_and_variance_1(turn: Callable[[Bijector[Any, Any]], Any]) -> None:
    norm = turn(ActNorm(3)).double()
    x = images()
    initialize(norm, x)
    mean, variance = moments(norm(x)[0])
    torch.testing.assert_close(mean, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(variance, torch.ones(3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_vectors_are_normalised_too() -> None:
    norm = ActNorm(3, event_dims=1).double()
    x = images()[..., 0, 0]
    initialize(norm, x)
    mean, variance = moments(norm(x)[0])
    torch.testing.assert_close(mean, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(variance, torch.ones(3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_the_formula_and_its_log_determinant() -> None:
    norm = ActNorm(2).double()
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([1.0, -2.0]))
        norm.log_scale.copy_(torch.tensor([0.5, -0.25]))
    norm.mark_initialized()
    x = images(channels=2)
    z, log_det = norm(x)
    bias, log_scale = torch.tensor([1.0, -2.0]).double(), torch.tensor([0.5, -0.25]).double()
    torch.testing.assert_close(z, (x + bias.view(2, 1, 1)) * log_scale.exp().view(2, 1, 1))
    torch.testing.assert_close(log_det, torch.full((8,), 5 * 7 * 0.25).double())


def test_layers_deep_inside_start_from_what_reaches_them() -> None:
    torch.manual_seed(0)
    first, mixing, second = ActNorm(3), Conv1x1(3), ActNorm(3)
    flow = Chain([first, Chain([mixing, Inverse(second)])]).double()
    x = images()
    initialize(flow, x)
    mean, variance = moments(flow(x)[0])
    torch.testing.assert_close(mean, torch.zeros(3, dtype=torch.float64), atol=1e-10, rtol=0)
    torch.testing.assert_close(variance, torch.ones(3, dtype=torch.float64), atol=1e-10, rtol=0)


def test_layers_inside_networks_are_initialised() -> None:
    network = ConvConditioner(1, 4, hidden_channels=5)
    initialize(Coupling(3, network), images().float())
    assert network.norm1.initialized
    assert network.norm2.initialized


def test_layers_that_are_initialised_already_are_kept() -> None:
    old, new = ActNorm(3).double(), ActNorm(3).double()
    initialize(old, images())
    before = {key: value.clone() for key, value in old.state_dict().items()}
    initialize(Chain([old, new]), 10 * images() + 3)
    assert all(torch.equal(old.state_dict()[key], value) for key, value in before.items())
    assert new.initialized


def test_initialising_twice_changes_nothing() -> None:
    norm = ActNorm(3).double()
    initialize(norm, images())
    bias = norm.bias.clone()
    initialize(norm, images() + 100)
    assert torch.equal(norm.bias, bias)


def test_a_layer_used_twice_starts_from_what_it_sees_first() -> None:
    shared, alone = ActNorm(3).double(), ActNorm(3).double()
    initialize(Chain([shared, shared]), images())
    initialize(alone, images())
    assert torch.equal(shared.bias, alone.bias)
    assert torch.equal(shared.log_scale, alone.log_scale)


class WithUnusedBranch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used = ActNorm(3)
        self.branch = nn.ModuleDict({"spare": ActNorm(3)})

    def forward(self, x: Tensor, context: Any = None) -> Tensor:
        return self.used(x)[0]


def test_layers_that_no_data_reached_are_named() -> None:
    module = WithUnusedBranch()
    with pytest.raises(RuntimeError, match=r"no data reached these ActNorm layers.*: branch\.spare$"):
        initialize(module, torch.rand(2, 3, 4, 4))
    assert module.used.initialized
    assert not module.branch["spare"].initialized


def test_a_failed_initialisation_leaves_the_layers_waiting() -> None:
    norm = ActNorm(3)
    flow = Chain([Conv1x1(3), norm])
    with pytest.raises(ValueError, match="5 channels"):
        initialize(flow, torch.rand(2, 5, 4, 4))
    with pytest.raises(RuntimeError, match="not initialised"):
        norm(torch.rand(2, 3, 4, 4))


def test_a_state_dict_makes_it_ready_or_not() -> None:
    norm, x = ActNorm(3).double(), images()
    empty = {key: value.clone() for key, value in norm.state_dict().items()}
    initialize(norm, x)
    other = Chain([ActNorm(3).double()])
    other.load_state_dict({f"bijectors.0.{key}": value for key, value in norm.state_dict().items()})
    assert torch.equal(other(x)[0], norm(x)[0])
    norm.load_state_dict(empty)
    with pytest.raises(RuntimeError, match="not initialised"):
        norm(x)


def test_a_constant_channel_stays_finite() -> None:
    norm, x = ActNorm(2), torch.zeros(4, 2, 3, 3)
    x[:, 1] = torch.randn(4, 3, 3)
    initialize(norm, x)
    z, log_det = norm(x)
    assert z.isfinite().all()
    assert log_det.isfinite().all()


def test_the_start_carries_no_gradient() -> None:
    norm = ActNorm(3)
    initialize(norm, torch.rand(2, 3, 4, 4, requires_grad=True))
    assert norm.bias.is_leaf
    assert norm.bias.requires_grad
