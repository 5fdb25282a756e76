"""Losses and discriminators of adversarial trainings."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flowkit_deflow.training.adversarial.discriminators import PatchDiscriminator, Vgg128Discriminator, frozen
from flowkit_deflow.training.adversarial.gan_losses import GanLoss, LeastSquares, Logistic, RelativisticAverage

LOSSES = [Logistic(), LeastSquares(), RelativisticAverage()]


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_the_relativistic_loss_is_that_of_esrgan(first: float, second: float, other: float) -> None:
    real, fake = torch.tensor([first, second], dtype=torch.float64), torch.tensor([other], dtype=torch.float64)
    mean = (first + second) / 2
    looks_real = [value - other for value in (first, second)]
    loss = RelativisticAverage()
    of_discriminator = -(sum(map(log_sigmoid, looks_real)) / 2 + log_sigmoid(mean - other)) / 2
    of_generator = -(sum(log_sigmoid(-value) for value in looks_real) / 2 + log_sigmoid(other - mean)) / 2
    assert float(loss.discriminator(real, fake)) == pytest.approx(of_discriminator)
    assert float(loss.generator(real, fake)) == pytest.approx(of_generator)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_the_two_pull_in_opposite_directions(loss: GanLoss) -> None:
    fake = torch.tensor([0.3], requires_grad=True)
    real = torch.tensor([0.7])
    (up,) = torch.autograd.grad(loss.discriminator(real, fake), fake)
    (down,) = torch.autograd.grad(loss.generator(real, fake), fake)
    assert up > 0 > down


@pytest.mark.parametrize("make", [PatchDiscriminator, Vgg128Discriminator])
def test_a_discriminator_learns_to_tell_rows_from_columns(make: Callable[..., torch.nn.Module]) -> None:
    torch.manual_seed(0)
    network = make(features=4)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    loss = RelativisticAverage()
    for _ in range(12):
        rows = (torch.arange(128) // 8 % 2)[:, None] + 0.1 * torch.randn(2, 3, 128, 128)
        columns = (torch.arange(128) // 8 % 2) + 0.1 * torch.randn(2, 3, 128, 128)
        value = loss.discriminator(network(rows), network(columns))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert value < 0.4  # log 2 = 0.69 for one that knows nothing


def test_frozen_parameters_get_no_gradients_and_pass_them_on() -> None:
    network = PatchDiscriminator(features=4)
    images = torch.rand(1, 3, 32, 32, requires_grad=True)
    with frozen(network):
        network(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
