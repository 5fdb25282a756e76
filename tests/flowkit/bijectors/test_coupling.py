import math

import pytest
import torch
from torch import Tensor, nn

from flowkit import Additive, Affine, Chain, Coupling, Inverse
from flowkit.transforms import SigmoidScale
from flowkit.transforms.sigmoid import Sigmoid
from flowkit.transforms.transform import Transform


class Record(nn.Module):
    """A conditioner that keeps what it was called with and returns fixed parameters."""

    def __init__(self, raw: Tensor) -> None:
        super().__init__()
        self.raw = raw
        self.calls: list[tuple[Tensor, ...]] = []

    def forward(self, *args: Tensor) -> Tensor:
        self.calls.append(args)
        return self.raw.expand(*args[0].shape[:-1], -1)


class Exponential(Transform):
    """A transform of the real line into a part of it: exp(x + shift)."""

    parameters_per_element = 1

    def codomain(self, dtype: torch.dtype) -> tuple[float, float]:
        return 0.0, math.inf

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        return (raw[..., 0],)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return (x + parameters[0]).exp(), x + parameters[0]

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return y.log() - parameters[0], -y.log()


class UnitInterval(Additive):
    """Only the interval that it states matters here."""

    def domain(self, dtype: torch.dtype) -> tuple[float, float]:
        return 0.0, 1.0

    codomain = domain


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


MASKS = {
    "first": [True, True, False, False, False],
    "last": [False, False, True, True, True],
    "alternating": [True, False, True, False, True],
    "middle": [False, True, True, False, False],
    "one": [True, True, True, False, True],
}


@pytest.mark.parametrize("kept", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("event_dims", [1, 3])
def test_the_mask_says_which_channels_are_kept(kept: list[bool], event_dims: int) -> None:
    mask = torch.tensor(kept)
    shifts = torch.arange(1.0, 1 + int((~mask).sum()))
    # Channels last for the recording network, which knows vectors alone.
    shape = (4, 5) if event_dims == 1 else (4, 5, 2, 3)
    network = Record(shifts)
    if event_dims == 3:
        network.forward = lambda x: network.calls.append((x,)) or shifts.view(-1, 1, 1).expand(4, -1, 2, 3)  # type: ignore[func-returns-value,method-assign]
    layer = Coupling(5, network, Additive(), event_dims, mask=kept)
    x = torch.rand(shape)
    z, _ = layer(x)
    expected = torch.zeros(5)
    expected[~mask] = shifts
    torch.testing.assert_close(z, x + expected.view(-1, *[1] * (event_dims - 1)))
    torch.testing.assert_close(layer.inverse(z)[0], x)
    for (seen,) in network.calls:
        assert torch.equal(seen, x[:, mask])


def test_a_tensor_is_a_mask_too_and_the_default_is_the_first_half() -> None:
    x = torch.rand(3, 5)
    network = nn.Linear(2, 6)
    halves = Coupling(5, network, event_dims=1)
    masked = Coupling(5, network, event_dims=1, mask=torch.tensor(MASKS["first"]))
    assert torch.equal(halves(x)[0], masked(x)[0])


@pytest.mark.parametrize("mask", [None, *MASKS.values()], ids=["default", *MASKS])
def test_a_mask_is_no_part_of_the_state(mask: list[bool] | None) -> None:
    kept = 2 if mask is None else sum(mask)
    layer = Coupling(5, nn.Linear(kept, 2 * (5 - kept)), event_dims=1, mask=mask)
    assert set(layer.state_dict()) == {"conditioner.weight", "conditioner.bias"}


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


def test_kept_channels_may_lie_outside_of_what_the_transform_gives() -> None:
    layer = Coupling(2, nn.Linear(1, 1), Exponential(), event_dims=1)
    x = torch.tensor([[-3.0, 0.5]])
    z, log_det = layer(x)
    assert z[0, 0] == -3.0
    assert z[0, 1] > 0
    back, its_log_det = layer.inverse(z)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(its_log_det, -log_det)
    # In a chain each end states what it takes.
    both = Chain([layer, Inverse(layer)])
    torch.testing.assert_close(both(x)[0], x)


def test_a_transform_of_an_interval_onto_itself_keeps_the_layer_to_it() -> None:
    layer = Coupling(2, nn.Linear(1, 1), UnitInterval(), event_dims=1)
    for call in (layer, layer.inverse):
        with pytest.raises(ValueError, match=r"Coupling takes values in the open interval \(0, 1\), got 2"):
            call(torch.tensor([[2.0, 0.5]]))


def test_a_single_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="channels is 1; a coupling needs at least 2"):
        Coupling(1, nn.Identity())


def test_a_transform_without_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="Sigmoid has no parameters"):
        Coupling(2, nn.Identity(), Sigmoid())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([True, False], r"a mask over 3 channels is 3 booleans, got torch.bool of shape \(2,\)"),
        ([1, 0, 0], r"a mask over 3 channels is 3 booleans, got torch.int64 of shape \(3,\)"),
        (torch.ones(1, 3, dtype=torch.bool), r"3 booleans, got torch.bool of shape \(1, 3\)"),
        ([True, True, True], "the mask keeps 3 of 3 channels"),
        ([False, False, False], "the mask keeps 0 of 3 channels"),
    ],
    ids=["length", "numbers", "dimensions", "all", "none"],
)
def test_another_mask_is_refused(mask: list[bool] | Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Coupling(3, nn.Identity(), event_dims=1, mask=mask)
