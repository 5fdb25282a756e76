import math

import pytest
import torch
from torch import Tensor, nn

from flowkit import Additive, Affine, Coupling
from flowkit.bijectors.masked_coupling import MaskedCoupling
from flowkit.bijectors.masks import Checkerboard
from flowkit.transforms import SigmoidScale, Transform
from flowkit.transforms.sigmoid import Sigmoid
from tests.flowkit.bijectors.test_coupling import Record

SIZES = [(1, 1), (1, 4), (3, 1), (2, 5), (4, 4)]


class PowerOfUnitInterval(Transform):
    """The logit of x^k for x in (0, 1): infinite slopes at both ends, nan beyond. It learns a factor of all k."""

    parameters_per_element = 1

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.5))

    def domain(self, dtype: torch.dtype) -> tuple[float, float]:
        return 0.0, 1.0

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        return (self.factor * raw[..., 0].exp(),)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        (k,) = parameters
        y = x**k
        return y.logit(), (k * x ** (k - 1) / (y * (1 - y))).log()

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        (k,) = parameters
        x = y.sigmoid() ** (1 / k)
        return x, -self.forward(x, parameters)[1]


def network(channels: int, parameters: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(channels, parameters * channels, 3, padding=1).double()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("parity", [0, 1])
def test_one_checkerboard_serves_any_size(size: tuple[int, int], parity: int) -> None:
    # A scale that is not 1 for parameters 0: a kept position that were counted would show.
    layer = MaskedCoupling(Checkerboard(parity), network(2, 2), Affine(SigmoidScale(eps=0.0)))
    x = torch.randn(3, 2, *size, dtype=torch.float64)
    z, log_det = layer(x)
    kept = Checkerboard(parity)((2, *size)).expand_as(x)
    assert torch.equal(z[kept], x[kept])
    assert (z[~kept] != x[~kept]).all()
    # Parameters of changed positions, from kept ones alone, and no others, make the log-determinant.
    raw = layer.conditioner(torch.where(kept, x, 0))
    log_scale = nn.functional.logsigmoid(raw[:, 1::2] + 2)
    torch.testing.assert_close(z[~kept], ((x + raw[:, 0::2]) * log_scale.exp())[~kept])
    torch.testing.assert_close(log_det, torch.where(kept, 0, log_scale).sum((1, 2, 3)))
    torch.testing.assert_close(layer.inverse(z)[0], x)


def test_the_network_sees_zeros_for_what_is_changed() -> None:
    seen = Record(torch.zeros(4))
    x = torch.tensor([[1.0, math.inf, 3.0, math.nan]])
    mask = torch.tensor([True, False, True, False])
    MaskedCoupling(mask, seen, Additive(), event_dims=1)(x)
    assert seen.calls[0][0].tolist() == [[1.0, 0.0, 3.0, 0.0]]


def test_a_mask_over_channels_is_a_coupling() -> None:
    torch.manual_seed(0)
    mask = torch.tensor([True, False, False, True, False])
    narrow = nn.Linear(2, 6).double()
    wide = nn.Linear(5, 10).double()
    changed = torch.arange(10).view(5, 2)[~mask].flatten()
    with torch.no_grad():
        wide.weight[changed[:, None], mask.nonzero().T] = narrow.weight
        wide.bias[changed] = narrow.bias
    x = torch.randn(4, 5, dtype=torch.float64)
    plain, masked = Coupling(5, narrow, event_dims=1, mask=mask), MaskedCoupling(mask, wide, event_dims=1)
    for a, b in ((plain, masked), (plain.inverse, masked.inverse)):
        torch.testing.assert_close(b(x), a(x))


def test_what_is_kept_gives_no_nan_to_gradients() -> None:
    # The transform takes (0, 1) alone: kept values are far beyond, or at the ends, where its slope is infinite.
    layer = MaskedCoupling(torch.tensor([True, False, True, True]), nn.Linear(4, 4), PowerOfUnitInterval(), 1)
    x = torch.tensor([[5.0, 0.3, 0.0, 1.0]], requires_grad=True)
    z, log_det = layer(x)
    assert torch.equal(z[:, [0, 2, 3]], x[:, [0, 2, 3]])
    y = z.detach().requires_grad_()
    back, its_log_det = layer.inverse(y)
    torch.testing.assert_close(back, x)
    for outputs, given in (((z, log_det), x), ((back, its_log_det), y)):
        loss = sum((part.sum() for part in outputs), torch.zeros(()))
        gradients = torch.autograd.grad(loss, [given, *layer.parameters()])
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert all(gradient.count_nonzero() for gradient in gradients)


def test_an_infinite_scale_of_what_is_kept_gives_no_nan_either() -> None:
    conditioner = nn.Linear(2, 4)
    with torch.no_grad():
        conditioner.bias.copy_(torch.tensor([0.0, 1e3, 0.0, 0.5]))
    layer = MaskedCoupling(torch.tensor([True, False]), conditioner, Affine(nn.Identity()), event_dims=1)
    x = torch.ones(1, 2)
    for direction in (layer, layer.inverse):
        y, log_det = direction(x)
        gradients = torch.autograd.grad(y.sum() + log_det.sum(), list(layer.parameters()))
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_mask_goes_where_the_input_is() -> None:
    meta = torch.device("meta")
    for mask in (Checkerboard(), torch.tensor([[True, False]])):
        layer = MaskedCoupling(mask, network(2, 2)).to(meta)
        z, log_det = layer(torch.empty(3, 2, 4, 2, device=meta, dtype=torch.float64))
        assert z.device == log_det.device == meta


def test_a_mask_is_no_part_of_the_state() -> None:
    layer = MaskedCoupling(torch.tensor([True, False]), nn.Linear(2, 4), event_dims=1)
    assert set(layer.state_dict()) == {"conditioner.weight", "conditioner.bias"}


@pytest.mark.parametrize("given", ["tensor", "function"])
def test_a_mask_that_does_not_fit_is_named(given: str) -> None:
    mask = torch.tensor([[True, False, True]])
    layer = MaskedCoupling(mask if given == "tensor" else lambda shape: mask, network(2, 2))
    for call in (layer, layer.inverse):
        with pytest.raises(ValueError, match=r"shape \(1, 3\) does not broadcast to the event shape \(2, 3, 4\)"):
            call(torch.rand(1, 2, 3, 4).double())


@pytest.mark.parametrize(
    ("mask", "got"),
    [
        (torch.tensor([1, 0]), "torch.int64 with 1 of 2 true"),
        (torch.tensor([True, True]), "torch.bool with 2 of 2 true"),
        (torch.tensor([False, False]), "torch.bool with 0 of 2 true"),
    ],
    ids=["numbers", "all", "none"],
)
def test_a_tensor_that_is_no_mask_is_refused(mask: Tensor, got: str) -> None:
    with pytest.raises(ValueError, match=got):
        MaskedCoupling(mask, nn.Identity(), event_dims=1)


def test_a_network_of_the_wrong_width_is_named() -> None:
    with pytest.raises(ValueError, match="the conditioner gave 4 channels, 6 are needed"):
        MaskedCoupling(torch.tensor([True, False, True]), nn.Linear(3, 4), event_dims=1)(torch.rand(2, 3))


def test_a_transform_without_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="Sigmoid has no parameters"):
        MaskedCoupling(Checkerboard(), nn.Identity(), Sigmoid())
