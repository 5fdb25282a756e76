import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit.ops import nearest_conv2d
from flowkit.ops.nearest_conv import spread_taps, tap_weight
from tests.flowkit.nn.convolutions import assert_alike, operands


def plainly(x: Tensor, weight: Tensor, factor: int) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=factor, mode="nearest"), weight, padding=1)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(2, 8), st.integers(0, 1000))
def test_it_is_the_convolution_of_the_enlarged_image(height: int, width: int, factor: int, seed: int) -> None:
    x, weight = operands(height, width, seed=seed)
    # A few dozen additions of numbers of about 1, in another order.
    assert_alike(nearest_conv2d(x, weight, factor), plainly(x, weight, factor), (x, weight), 1e-12, 1e-11)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_derivatives_of_any_order_and_mode(factor: int) -> None:
    x, weight = operands(2, 3)

    def function(x: Tensor, weight: Tensor) -> Tensor:
        return nearest_conv2d(x, weight, factor)

    assert torch.autograd.gradcheck(function, (x, weight), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, (x[:1, :, :1], weight[:1]))


def test_under_vmap_and_compile() -> None:
    x, weight = operands(3, 4)
    weights = torch.stack([weight, 2 * weight])
    expected = torch.stack([plainly(x, w, 4) for w in weights])
    torch.testing.assert_close(torch.vmap(nearest_conv2d, (None, 0, None))(x, weights, 4), expected)
    compiled = torch.compile(nearest_conv2d, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, weight, 4), expected[0])


def test_a_factor_of_1_is_a_convolution_and_other_kernels_and_factors_are_refused() -> None:
    x, weight = operands(3, 4)
    torch.testing.assert_close(nearest_conv2d(x, weight, 1), F.conv2d(x, weight, padding=1))
    with pytest.raises(ValueError, match="factor is 1"):
        spread_taps(torch.rand(1, 9, 2, 2), 1)
    with pytest.raises(ValueError, match=r"3x3 kernel, got one of shape \(5, 3, 1, 1\)"):
        tap_weight(weight[..., :1, :1])
    with pytest.raises(ValueError, match="factor is 0"):
        spread_taps(torch.rand(1, 9, 2, 2), 0)
