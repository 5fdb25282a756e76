import pytest
import torch
from torch import Tensor

from flowkit import Conv1x1, LUConv1x1


def plain(weight: Tensor, x: Tensor) -> Tensor:
    return torch.nn.functional.conv2d(x, weight[:, :, None, None])


@pytest.mark.parametrize("layer", [Conv1x1, LUConv1x1])
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_it_is_a_convolution_that_starts_as_a_rotation(layer: type[Conv1x1 | LUConv1x1], channels: int) -> None:
    torch.manual_seed(channels)
    conv = layer(channels)
    x = torch.randn(2, channels, 3, 5)
    # float32: the layer starts in it.
    torch.testing.assert_close(conv.weight @ conv.weight.T, torch.eye(channels), atol=1e-5, rtol=0)
    torch.testing.assert_close(conv(x)[0], plain(conv.weight, x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(conv(x)[1], torch.zeros(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("layer", [Conv1x1, LUConv1x1])
def test_the_log_determinant_counts_the_positions(layer: type[Conv1x1 | LUConv1x1]) -> None:
    torch.manual_seed(0)
    conv = layer(4).double()
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    expected = 3 * 5 * torch.linalg.slogdet(conv.weight).logabsdet
    torch.testing.assert_close(conv(x)[1], expected.expand(2))
    torch.testing.assert_close(conv.inverse(x)[1], -expected.expand(2))


def lu(channels: int) -> LUConv1x1:
    torch.manual_seed(0)
    conv = LUConv1x1(channels).double()
    with torch.no_grad():
        for parameter in (conv.lower, conv.upper):
            parameter.copy_(parameter.tril(-1) if parameter is conv.lower else parameter.triu(1))
            parameter.add_(0.1 * torch.randn_like(parameter))
    return conv


def test_the_weight_is_the_product_of_its_factors() -> None:
    conv = lu(5)
    P = torch.eye(5, dtype=torch.float64)[conv.permutation]
    L = conv.lower.tril(-1) + torch.eye(5, dtype=torch.float64)
    U = conv.upper.triu(1) + torch.diag(conv.sign * conv.log_scale.exp())
    torch.testing.assert_close(conv.weight, P @ L @ U)
    # A permutation that is no transposition: mixing it up with its inverse would show.
    assert not torch.equal(conv.permutation, conv.permutation.argsort())


def test_only_the_strict_triangles_count() -> None:
    conv = lu(4)
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    before = conv(x)[0], conv.inverse(x)[0]
    with torch.no_grad():
        conv.lower.add_(torch.ones(4, 4, dtype=torch.float64).triu())
        conv.upper.add_(torch.ones(4, 4, dtype=torch.float64).tril())
    assert torch.equal(conv(x)[0], before[0])
    assert torch.equal(conv.inverse(x)[0], before[1])
    with torch.no_grad():
        conv.lower.add_(torch.ones(4, 4, dtype=torch.float64).tril(-1))
    assert not torch.allclose(conv(x)[0], before[0])


def test_permutation_and_signs_are_saved_but_not_trained() -> None:
    conv = LUConv1x1(3)
    assert {"sign", "permutation"} <= set(conv.state_dict())
    assert {name for name, _ in conv.named_parameters()} == {"lower", "upper", "log_scale"}


@pytest.mark.parametrize("layer", [Conv1x1, LUConv1x1])
def test_no_channels_are_refused(layer: type[Conv1x1 | LUConv1x1]) -> None:
    with pytest.raises(ValueError, match="channels is 0"):
        layer(0)


@pytest.mark.parametrize("layer", [Conv1x1, LUConv1x1])
def test_matrices_stay_out_of_autocast(layer: type[Conv1x1 | LUConv1x1]) -> None:
    conv, x = layer(4), torch.randn(2, 4, 3, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = conv(x)[0], conv.inverse(x)[0]
    assert torch.equal(inside[0], conv(x)[0])
    assert torch.equal(inside[1], conv.inverse(x)[0])
