import inspect
import math

import pytest
import torch

import flowkit
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


def test_it_is_short() -> None:
    source = inspect.getsource(fit)
    before, _, after = source.split('"""')
    assert len([line for line in (before + after).splitlines() if line.strip(" r")]) < 60
