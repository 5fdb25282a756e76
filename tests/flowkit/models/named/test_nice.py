import torch

from flowkit.models.named.nice import nice
from tests.flowkit.models.settings import data, ready


def test_the_volume_changes_by_the_last_scales_alone() -> None:
    flow = ready("nice")
    _, log_det = flow.bijector(data(flow, 6))
    assert (log_det - log_det[0]).abs().max() < 1e-12
    scales = dict(flow.named_parameters())["bijector.bijectors.4.raw"][:, 1]
    torch.testing.assert_close(log_det[0], scales.sum())


def test_the_scales_are_not_bounded() -> None:
    flow = nice(2).double()
    with torch.no_grad():
        dict(flow.named_parameters())["bijector.bijectors.4.raw"].copy_(torch.tensor([[0.0, 7.0], [0.0, -7.0]]))
    x = torch.ones(1, 2, dtype=torch.float64)
    torch.testing.assert_close(flow.bijector(x)[0].log(), torch.tensor([[7.0, -7.0]]).double())
