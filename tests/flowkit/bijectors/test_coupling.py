import pytest
import torch
from torch import Tensor, nn

from flowkit import Additive, Affine, Coupling, SigmoidScale


class Record(nn.Module):
    """A conditioner that keeps what it was called with and returns fixed parameters."""

    def __init__(self, raw: Tensor) -> None:
        super().__init__()
        self.raw = raw
        self.calls: list[tuple[Tensor, ...]] = []

    def forward(self, *args: Tensor) -> Tensor:
        self.calls.append(args)
        return self.raw.expand(*args[0].shape[:-1], -1)


@pytest.mark.parametrize("channels", [2, 3, 5, 6])
def test_the_first_half_is_kept_and_is_all_that_the_network_sees(channels: int) -> None:
    kept = channels // 2
    network = Record(torch.linspace(-1, 1, 2 * (channels - kept)))
    x = torch.rand(4, channels)
    z, _ = Coupling(channels, network, event_dims=1)(x)
    assert torch.equal(z[:, :kept], x[:, :kept])
    assert not torch.isclose(z[:, kept:], x[:, kept:]).all()
    ((seen,),) = network.calls
    assert torch.equal(seen, x[:, :kept])


def test_parameters_are_interleaved_shift_then_scale() -> None:
    raw = torch.tensor([10.0, 0.0, 20.0, -2.0])
    x = torch.rand(3, 4)
    z, log_det = Coupling(4, Record(raw), Affine(SigmoidScale(eps=0.0)), event_dims=1)(x)
    scales = torch.sigmoid(torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(z[:, 2:], (x[:, 2:] + torch.tensor([10.0, 20.0])) * scales)
    torch.testing.assert_close(log_det, scales.log().sum().expand(3))


def test_additive_coupling_keeps_volume() -> None:
    x = torch.rand(3, 4)
    z, log_det = Coupling(4, nn.Linear(2, 2), Additive(), event_dims=1)(x)
    assert torch.equal(log_det, torch.zeros(3))
    assert not torch.equal(z, x)


def test_a_plain_network_is_given_the_context_only_where_there_is_one() -> None:
    network, x, context = Record(torch.zeros(4)), torch.rand(3, 4), torch.rand(3, 7)
    layer = Coupling(4, network, event_dims=1)
    layer(x)
    layer(x, context)
    without, with_context = network.calls
    assert len(without) == 1
    assert with_context[1] is context


def test_a_single_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="channels is 1; a coupling needs at least 2"):
        Coupling(1, nn.Identity())
