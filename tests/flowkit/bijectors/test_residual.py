from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flowkit.bijectors.residual import Residual
from flowkit.bijectors.residual_log_det import ExactLogDet, PowerSeriesLogDet, RussianRouletteLogDet
from flowkit.nn.lipschitz import LipschitzMLP


def random_block(
    coefficient: float = 0.9,
    features: int = 3,
    hidden: tuple[int, ...] = (6, 6),
    sharpness: float = 0.5,
    seed: int = 0,
    **settings: Any,
) -> Residual:
    """A block whose every layer is at its bound: weights far larger than what is applied, bends as sharp as asked."""
    torch.manual_seed(seed)
    network = LipschitzMLP(features, hidden, coefficient=coefficient).double()
    with torch.no_grad():
        for layer in network.layers:
            layer.weight.normal_().mul_(100)
            layer.bias.normal_()
        for activation in network.activations:
            activation.raw_beta.fill_(sharpness)
    return Residual(network, **settings)


# --- the inverse ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coefficient", [0.5, 0.9, 0.97, 0.99])
@pytest.mark.parametrize("sharpness", [0.5, 5.0, 50.0])
def test_the_inverse_is_exact_for_networks_at_their_bound(coefficient: float, sharpness: float) -> None:
    for seed in range(4):
        features = 1 + seed % 3
        block = random_block(coefficient, features, (features,) * (1 + seed), sharpness, seed)
        z = 3 * torch.randn(200, features, dtype=torch.float64)
        with torch.no_grad():
            x, log_det = block.inverse(z)
            back, forward = block(x)
        # Slopes are at least 1 - coefficient, so that a rounding error of 1e-15 in z is at most 1e-13 in x.
        torch.testing.assert_close(back, z, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(log_det, -forward, rtol=1e-12, atol=1e-12)


class SteepThenFlat(nn.Module):
    """A contraction that bends between slopes k, at 10, and -k: Newton's full steps on x + g(x) jump to and fro."""

    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return self.k * (2 * torch.tanh(x - 10) - x)


@pytest.mark.parametrize("k", [0.9, 0.95, 0.99])
def test_full_newton_steps_would_go_astray_where_these_do_not(k: float) -> None:
    block = Residual(SteepThenFlat(k))
    # Roots in the steep part, where the search does not begin.
    z = torch.linspace(-1, 2, 400, dtype=torch.float64).unsqueeze(-1)
    full = z.clone()
    for _ in range(50):
        slope = 1 + k * (2 * (1 - torch.tanh(full - 10).square()) - 1)
        full = full - (full + block.network(full) - z) / slope
    assert not torch.allclose(full + block.network(full), z, atol=1e-3)
    x, _ = block.inverse(z)
    torch.testing.assert_close(x + block.network(x), z, rtol=1e-12, atol=1e-12)


def test_float32_is_inverted_to_its_last_digits() -> None:
    block = random_block(0.97).float()
    x = torch.randn(100, 3)
    back, _ = block.inverse(block(x)[0])
    assert back.dtype == torch.float32
    # Rounding of 1e-7, enlarged by 1 / (1 - 0.97) at worst.
    torch.testing.assert_close(back, x, rtol=1e-5, atol=1e-5)


def test_gradients_of_the_inverse_are_those_of_the_root() -> None:
    block = random_block(0.9, features=2, hidden=(3,), iterations=12)
    names = list(dict(block.named_parameters()))
    values = [p.detach().clone().requires_grad_() for p in block.parameters()]
    # Within the bound as well as at it.
    values[0].data.mul_(1e-3)

    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, z: Tensor) -> Any:
            return self.block.inverse(z)

    def inverse(z: Tensor, *parameters: Tensor) -> Any:
        swapped = {f"block.{name}": value for name, value in zip(names, parameters, strict=True)}
        return torch.func.functional_call(Backwards(), swapped, (z,))

    z = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(inverse, (z, *values))


def test_torch_func_maps_and_differentiates_the_inverse() -> None:
    block = random_block(0.9)
    z = torch.randn(5, 3, dtype=torch.float64)
    expected = torch.stack([torch.autograd.functional.jacobian(lambda z: block.inverse(z)[0], one) for one in z])
    torch.testing.assert_close(torch.func.vmap(torch.func.jacrev(lambda z: block.inverse(z)[0]))(z), expected)
    torch.testing.assert_close(torch.func.jacfwd(lambda z: block.inverse(z)[0])(z[0]), expected[0])


def test_reentrant_checkpoints_give_the_same_gradients() -> None:
    block = random_block()
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    whole = block(x)
    saved = checkpoint(block, x, use_reentrant=True)
    expected = torch.autograd.grad(whole[0].square().sum() + whole[1].sum(), x)
    (saved[0].square().sum() + saved[1].sum()).backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected[0])


def test_half_precision_stays_out() -> None:
    block = random_block(0.9).float()
    x = torch.randn(5, 3)
    expected = block(x), block.inverse(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = block(x), block.inverse(x)
    for ours, theirs in zip(got, expected, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_no_gradients_are_kept(mode: type[torch.no_grad]) -> None:
    block = random_block(0.9)
    with mode():
        x = torch.randn(5, 3, dtype=torch.float64)
        z, log_det = block(x)
        back, _ = block.inverse(z)
    assert not log_det.requires_grad
    torch.testing.assert_close(log_det, block(x.clone())[1].detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(back, x, rtol=1e-12, atol=1e-12)


# --- log-determinants -----------------------------------------------------------------------------------------------


def test_eval_mode_is_exact_whatever_the_strategy() -> None:
    exact = random_block()
    x = torch.randn(5, 3, dtype=torch.float64)
    for strategy in (PowerSeriesLogDet(1), RussianRouletteLogDet()):
        block = random_block(log_det=strategy)
        assert not torch.allclose(block(x)[1], exact(x)[1])
        assert not torch.allclose(block.inverse(x)[1], exact.inverse(x)[1])
        block.eval()
        assert torch.equal(block(x)[1], exact(x)[1])
        assert torch.equal(block.inverse(x)[1], exact.inverse(x)[1])


def test_random_numbers_are_drawn_in_training_alone() -> None:
    block = random_block(log_det=RussianRouletteLogDet())
    x = torch.randn(5, 3, dtype=torch.float64)
    state = torch.get_rng_state()
    block.eval()(x)
    block.inverse(x)
    assert torch.equal(torch.get_rng_state(), state)
    drawn = [block.train()(x)[1] for _ in range(2)]
    assert not torch.equal(*drawn)
    torch.set_rng_state(state)
    assert torch.equal(block(x)[1], drawn[0])


def test_training_on_random_log_determinants_goes_where_the_exact_ones_do() -> None:
    # One number, stretched by 1.5: the likelihood's best slope is known.
    torch.manual_seed(0)
    data = torch.randn(512, 1, dtype=torch.float64) / 1.5
    scales = []
    for strategy in (ExactLogDet(), RussianRouletteLogDet(0.8)):
        torch.manual_seed(1)
        block = Residual(LipschitzMLP(1, hidden=(), coefficient=0.9).double(), strategy)
        optimizer = torch.optim.Adam(block.parameters(), lr=0.02)
        for _ in range(150):
            z, log_det = block(data)
            loss = (0.5 * z.square().sum(-1) - log_det).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scales.append((block(torch.ones(1, 1).double())[0] - block(torch.zeros(1, 1).double())[0]).item())
    best = 1 / data.std(correction=0).item()
    assert scales[0] == pytest.approx(best, rel=0.02)
    # The learning rate and the noise of the gradient leave it wandering a few hundredths around there.
    assert scales[1] == pytest.approx(best, rel=0.1)


def test_the_branch_is_what_a_statement_is_made_of() -> None:
    block = random_block()
    x = torch.randn(5, 3, dtype=torch.float64)
    branch = block.branch()
    torch.testing.assert_close(x + branch(x), block(x)[0])
    torch.manual_seed(0)
    estimate = RussianRouletteLogDet(0.8).estimate(branch, x, draws=200)
    assert ((estimate.mean - block(x)[1]).abs() < 4 * estimate.standard_error).all()


# --- any network ----------------------------------------------------------------------------------------------------


class Halves(nn.Module):
    """A network of images that knows nothing of ``prepare``; half of a convolution that moves and mixes."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        y = 0.5 * torch.sin(x.roll(1, -1))
        return y if context is None else y + context


@pytest.mark.parametrize("conditional", [False, True])
def test_images_and_networks_without_prepare(conditional: bool) -> None:
    block = Residual(Halves(), event_dims=3)
    x = torch.randn(2, 3, 1, 2, 4, dtype=torch.float64)
    context = torch.randn(1, 1, 1, 1, 1, dtype=torch.float64) if conditional else None
    z, log_det = block(x, context)
    assert log_det.shape == (2, 3)
    back, backward = block.inverse(z, context)
    torch.testing.assert_close(back, x, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(backward, -log_det, rtol=1e-12, atol=1e-12)
    one = None if context is None else context[0, 0]
    jacobian = torch.autograd.functional.jacobian(lambda x: block(x, one)[0], x[1, 2]).reshape(8, 8)
    torch.testing.assert_close(log_det[1, 2], torch.linalg.slogdet(jacobian).logabsdet)


def test_a_context_of_more_samples_than_the_data_is_refused() -> None:
    block = Residual(LipschitzMLP(3, (4,), context_features=2))
    for call in (block, block.inverse):
        with pytest.raises(ValueError, match=r"1 rows of data and a context of shape \(7, 2\) do not fit"):
            call(torch.ones(1, 3), torch.ones(7, 2))


def test_a_network_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(5, 1\) for data of shape \(5, 3\)"):
        Residual(nn.Linear(3, 1))(torch.ones(5, 3))


def test_no_iterations_are_refused() -> None:
    with pytest.raises(ValueError, match="iterations is 0"):
        Residual(nn.Identity(), iterations=0)


@pytest.mark.parametrize("direction", [lambda block: block, lambda block: block.inverse], ids=["forward", "inverse"])
def test_the_weights_are_bounded_once_per_call(direction: Callable[[Residual], Any]) -> None:
    block = random_block()
    calls: list[int] = []
    layer = block.network.layers[0]
    bounded_weight = layer.bounded_weight

    def counted() -> Tensor:
        calls.append(1)
        return bounded_weight()

    layer.bounded_weight = counted
    direction(block)(torch.randn(5, 3, dtype=torch.float64))
    assert len(calls) == 1
