"""The trained shift whose strength follows h's brightness."""

import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain, LatentLabel, LatentModel
from flowkit_deflow.method.shifts.brightness import LARGEST_LOG_FACTOR, BrightnessShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from tests.flowkit_deflow.networks import move_shift

CHANNELS, SIZE = 2, (4, 4)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def grounds(count: int, seed: int = 0) -> Tensor:
    """h of even images of any brightness."""
    levels = torch.rand(count, 1, 1, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return levels.expand(count, 3, *SIZE)


def test_it_starts_as_the_uncorrelated_shift() -> None:
    shift, other = BrightnessShift(CHANNELS, 0.4).double(), UncorrelatedShift(CHANNELS, 0.4).double()
    z, h = normal(3, CHANNELS, *SIZE), grounds(3)
    value = LatentModel([shift]).log_prob((z,), LatentLabel(Domain.DEGRADED, h))
    torch.testing.assert_close(value, LatentModel([other]).log_prob((z,), Domain.DEGRADED))


def test_its_axes_are_orthogonal() -> None:
    shift = BrightnessShift(5).double()
    move_shift(shift, 1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(shift.axes @ shift.axes.T, torch.eye(5).double())
    torch.testing.assert_close(shift.axes.det().detach(), torch.tensor(1.0).double())


def test_strength_is_bounded() -> None:
    shift = BrightnessShift(CHANNELS, 1.0).double().requires_grad_(False)
    move_shift(shift, 100.0, torch.Generator().manual_seed(0))
    shift.deviations.fill_(1.0)
    strengths = shift.at(grounds(50), SIZE).deviations.log().abs()
    assert strengths.max() <= LARGEST_LOG_FACTOR
    assert strengths.max() > 0.9 * LARGEST_LOG_FACTOR


def test_training_finds_noise_that_grows_with_the_brightness() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shift = BrightnessShift(CHANNELS, 0.3).double()
    model, h = LatentModel([shift]), grounds(2000)
    axes = torch.tensor([[0.6, -0.8], [0.8, 0.6]]).double()
    amplitudes = torch.tensor([0.5, 2.0]).double()[:, None, None] * (2 * h[:, :1])
    u = torch.einsum("ij,bjhw->bihw", axes, amplitudes * normal(2000, CHANNELS, *SIZE, seed=1))
    z = normal(2000, CHANNELS, *SIZE, seed=2) + u
    optimizer = torch.optim.Adam(shift.parameters(), lr=0.03)
    for _ in range(300):
        loss = -model.log_prob((z,), LatentLabel(Domain.DEGRADED, h)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for level in (0.25, 0.5, 0.9):
        field = shift.at(torch.full((1, 3, *SIZE), level).double(), SIZE)
        columns = torch.stack(
            [
                field.deviation(unit.reshape(1, 2, 1, 1).expand(1, 2, *SIZE))[0, :, 0, 0]
                for unit in torch.eye(2).double()
            ],
            1,
        )
        found = (columns @ columns.T).detach()
        true = axes @ torch.diag((amplitudes[0, :, 0, 0] / h[0, 0, 0, 0] * level).square()) @ axes.T
        # To a quarter of the largest variance at the level, of which the darkest has a thirteenth of the brightest: the
        # network is small, and has 300 steps. A constant shift would err by 4 times the largest at 0.25.
        torch.testing.assert_close(found, true, atol=0.25 * float(true.max()), rtol=0)


def test_without_h_it_refuses() -> None:
    with pytest.raises(ValueError, match="given no h"):
        LatentModel([BrightnessShift(2)]).log_prob((torch.zeros(1, 2, 1, 1),), Domain.DEGRADED)
