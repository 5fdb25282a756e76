import torch

from flowkit.bijectors.residual import Residual
from tests.flowkit.models.settings import data, ready


def test_the_estimate_is_taken_in_training_alone() -> None:
    flow = ready("residual_estimated")
    x = data(flow, 5)
    exact = flow.log_prob(x)
    assert torch.equal(flow.log_prob(x), exact)
    flow.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = torch.stack([flow.log_prob(x).detach() for _ in range(100)])
    assert draws.std(0).min() > 0
    # Five standard errors of an unbiased estimate.
    assert ((draws.mean(0) - exact).abs() < 5 * draws.std(0) / 100**0.5).all()


def test_the_exact_log_determinant_is_the_same_in_training() -> None:
    flow = ready("residual")
    x = data(flow, 5)
    assert torch.equal(flow.log_prob(x), flow.train().log_prob(x))
    assert sum(isinstance(module, Residual) for module in flow.modules()) == 2
