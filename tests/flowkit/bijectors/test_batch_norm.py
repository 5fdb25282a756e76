import pytest
import torch

from flowkit import Flow, StandardNormal
from flowkit.bijectors import BatchNorm


@pytest.mark.parametrize("event_dims", [1, 3])
def test_while_training_the_batch_leaves_with_mean_0_and_variance_1(event_dims: int) -> None:
    layer = BatchNorm(3, event_dims)
    x = 5 + 2 * torch.randn(64, 3, *(4,) * (event_dims - 1))
    z, log_det = layer(x)
    moments = z.movedim(1, 0).flatten(1)
    torch.testing.assert_close(moments.mean(1), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(moments.var(1, correction=0), torch.ones(3), rtol=1e-3, atol=0)
    positions = 4 ** (event_dims - 1)
    variance = x.movedim(1, 0).flatten(1).var(1, correction=0)
    torch.testing.assert_close(log_det, (-0.5 * positions * variance.log().sum()).expand(64), rtol=1e-4, atol=1e-4)


def test_running_moments_follow_and_eval_goes_by_them() -> None:
    torch.manual_seed(0)
    layer = BatchNorm(2)
    for _ in range(100):
        layer(torch.tensor([1.0, -3.0]) + torch.tensor([2.0, 0.5]) * torch.randn(200, 2))
    # Averages of some twenty batches of 200: standard errors of 0.03 and less.
    torch.testing.assert_close(layer.mean, torch.tensor([1.0, -3.0]), rtol=0, atol=0.1)
    torch.testing.assert_close(layer.variance.sqrt(), torch.tensor([2.0, 0.5]), rtol=0.05, atol=0)
    before = layer.mean.clone()
    layer.eval()
    x = torch.tensor([[1.0, -3.0]])
    assert layer(x)[0].abs().max() < 0.2
    assert torch.equal(layer.mean, before)


def test_a_single_sample_is_refused_while_training_alone() -> None:
    layer = BatchNorm(2)
    with pytest.raises(ValueError, match=r"one value for each channel: while training it needs a batch; call eval\(\)"):
        layer(torch.rand(1, 2))
    layer.eval()
    assert layer(torch.rand(1, 2))[0].shape == (1, 2)


def test_gradients_reach_through_the_moments() -> None:
    layer = BatchNorm(2).double()
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: layer(v), x)


def test_it_standardises_data_in_any_units_on_the_way_to_a_flow() -> None:
    torch.manual_seed(0)
    data = 1000 + 300 * torch.randn(500, 2)
    flow = Flow(BatchNorm(2, momentum=1.0), StandardNormal(), (2,))
    flow.log_prob(data)
    known = torch.distributions.Normal(1000.0, 300.0).log_prob(data).sum(-1).mean()
    assert (flow.eval().log_prob(data).mean() - known).abs() < 0.05


@pytest.mark.parametrize(("setting", "value"), [("momentum", 0.0), ("momentum", 1.5), ("eps", 0.0)])
def test_invalid_settings_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{setting} is {value}"):
        BatchNorm(2, **{setting: value})  # type: ignore[arg-type]
