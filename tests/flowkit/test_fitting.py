import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import flowkit
from flowkit.bijectors import BatchNorm
from flowkit.fitting import fit


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_flow_learns_data_in_any_units(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    data = torch.randn(1000, 2) * torch.tensor([300.0, 0.01]) + torch.tensor([1000.0, 5.0])
    flow = flowkit.nice(2, layers=2, hidden=(8,), standardize=data)
    result = fit(flow, data, epochs=8, rate=5e-3, generator=seeded())
    entropy = 1 + math.log(2 * math.pi) + math.log(300 * 0.01)
    # 100 held-out samples of a log-density of deviation 1.
    assert result.validation[result.best] == pytest.approx(entropy, abs=0.3)
    assert not flow.training
    assert "epoch 8/8: training" in capsys.readouterr().err


def test_the_best_weights_are_kept_and_it_stops_early() -> None:
    torch.manual_seed(0)
    flow = flowkit.realnvp(2, layers=2, hidden=(32,))
    # Of few samples, much too fast: the held-out part gets less likely soon.
    data = torch.randn(40, 2)
    result = fit(flow, data, epochs=200, rate=0.02, patience=5, held_out=0.5, progress=False, generator=seeded())
    assert len(result.validation) == result.best + 6 < 200
    assert result.validation[result.best] == min(result.validation)
    held = data[torch.randperm(40, generator=seeded())[:20]]
    assert flowkit.losses.forward_kl(flow, held).item() == pytest.approx(result.validation[result.best], rel=1e-5)


def test_contexts_and_actnorms() -> None:
    torch.manual_seed(0)
    context = torch.randn(300, 1)
    flow = flowkit.realnvp(2, layers=2, hidden=(16,), context_features=1)
    data = 3 * context + 0.1 * torch.randn(300, 2)
    result = fit(flow, data, context, epochs=15, rate=5e-3, batch=64, progress=False, generator=seeded())
    assert result.validation[result.best] < result.validation[0] - 0.5
    images = flowkit.glow((1, 4, 4), levels=1, steps=1, hidden=4)
    fit(images, torch.rand(20, 1, 4, 4), epochs=1, progress=False)
    assert images.log_prob(torch.rand(2, 1, 4, 4)).isfinite().all()


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"batch": 0}, {"patience": 0}, {"rate": 0.0}, {"held_out": 1.0}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be at least 1; rate is"):
        fit(flowkit.maf(2), torch.randn(5, 2), **setting)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the data is 1 rows"):
        fit(flowkit.maf(2), torch.randn(1, 2))


class Scripted(flowkit.Flow):
    """A flow of which something happens at one call."""

    def __init__(self, at: int, event: Callable[[Tensor], Tensor]) -> None:
        super().__init__(flowkit.Linear(2), flowkit.StandardNormal(), (2,))
        self.calls = 0
        self.at = at
        self.event = event

    def log_prob(self, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
        self.calls += 1
        log_prob = super().log_prob(x, context, label)
        return self.event(log_prob) if self.calls == self.at else log_prob


def test_a_step_that_is_not_finite_is_left_out() -> None:
    flow = Scripted(6, lambda log_prob: log_prob * math.nan)
    result = fit(flow, 3 * torch.randn(100, 2), epochs=6, rate=0.05, progress=False, generator=seeded())
    assert math.isnan(result.training[2])
    assert all(map(math.isfinite, result.validation))
    assert result.best > 2


def test_an_interrupted_fit_leaves_the_best_weights() -> None:
    def interrupt(log_prob: Tensor) -> Tensor:
        raise KeyboardInterrupt

    torch.manual_seed(0)
    data = 3 * torch.randn(100, 2)
    # The start, and two calls in each epoch: the step of the fourth.
    flow = Scripted(8, interrupt)
    expected = fit(copy.deepcopy(flow), data, epochs=3, rate=0.05, progress=False, generator=seeded())
    with pytest.raises(KeyboardInterrupt):
        fit(flow, data, rate=0.05, progress=False, generator=seeded())
    assert not flow.training
    held = data[torch.randperm(100, generator=seeded())[:10]]
    assert flowkit.losses.forward_kl(flow, held).item() == pytest.approx(expected.validation[expected.best], rel=1e-5)


def test_labels() -> None:
    torch.manual_seed(0)
    label = torch.arange(200) % 2
    data = torch.randn(200, 2) + 6.0 * label[:, None]
    base = flowkit.ClassConditional([flowkit.DiagonalNormal(2), flowkit.DiagonalNormal(2)])
    flow = flowkit.Flow(flowkit.Reversal(2), base, (2,))
    result = fit(flow, data, label=label, epochs=12, rate=0.2, batch=32, progress=False, generator=seeded())
    assert result.validation[result.best] < 4
    with pytest.raises(ValueError, match="200 rows of data and 10 of label"):
        fit(flow, data, label=label[:10])


def test_it_is_short() -> None:
    source = inspect.getsource(fit)
    before, _, after = source.split('"""')
    assert len([line for line in (before + after).splitlines() if line.strip(" r")]) < 60


def test_a_single_row_that_is_left_over_joins_another_batch() -> None:
    """A batch norm in training needs two."""
    flow = flowkit.Flow(flowkit.Chain([BatchNorm(2), flowkit.LULinear(2)]), flowkit.StandardNormal(), (2,))
    assert len(fit(flow, torch.randn(66, 2), batch=58, held_out=7 / 66, epochs=2, progress=False).training) == 2
