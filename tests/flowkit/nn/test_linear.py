import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.nn.linear import LEAST_PRODUCTS, LinearLayer, linear


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which the other operator is used, whatever the tests run on: it gives the same on all."""
    monkeypatch.setattr("flowkit.nn.linear.mkl_is_slow", lambda: True)


# Float32 is what it is made for; the sums run over 64 products of numbers of about 1.
TOLERANCE = 1e-4


def large(batch: tuple[int, ...] = (640,), inputs: int = 64, outputs: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """Of a size at which another operator than PyTorch's is used."""
    x, weight = torch.randn(*batch, inputs, dtype=torch.float32), torch.randn(outputs, inputs, dtype=torch.float32)
    assert x.numel() * outputs >= LEAST_PRODUCTS
    return x, weight, torch.randn(outputs, dtype=torch.float32)


def is_plain(y: Tensor) -> bool:
    assert y.grad_fn is not None
    return "_Linear" not in y.grad_fn.name()


def other_layouts() -> list[tuple[Tensor, Tensor, Tensor | None]]:
    x, weight, bias = large()
    wide = torch.randn(640, 128, dtype=torch.float32)
    return [
        (x, weight, bias),
        (x, weight, None),
        large((4, 5, 32)),
        (torch.randn(64, 640, dtype=torch.float32).mT, weight, bias),
        (wide[:, ::2], weight, bias),
        (x, torch.randn(64, 128, dtype=torch.float32)[:, 64:], bias),
        (x, weight.mT, bias),
        (torch.randn(1, 64, dtype=torch.float32).expand(640, 64), weight, bias),
    ]


@pytest.mark.parametrize("case", range(8))
def test_values_and_gradients_are_those_of_the_plain_function(case: int) -> None:
    given = other_layouts()[case]
    ours = [None if t is None else t.clone(memory_format=torch.preserve_format).requires_grad_() for t in given]
    exact = [None if t is None else t.detach().double().requires_grad_() for t in given]
    y, expected = linear(*ours), F.linear(*exact)  # type: ignore[arg-type]
    assert not is_plain(y)
    torch.testing.assert_close(y.double(), expected, atol=TOLERANCE, rtol=0)
    direction = torch.randn_like(expected)
    leaves = [t for t in ours if t is not None]
    grads = torch.autograd.grad(y, leaves, direction.float())
    expected_grads = torch.autograd.grad(expected, [t for t in exact if t is not None], direction)
    for grad, of_exact in zip(grads, expected_grads, strict=True):
        assert grad.shape == of_exact.shape
        # Sums over up to 640 samples.
        torch.testing.assert_close(grad.double(), of_exact, atol=10 * TOLERANCE, rtol=0)


def test_second_derivatives() -> None:
    given = large()

    def penalty(function: object, tensors: list[Tensor]) -> tuple[Tensor, ...]:
        y = function(*tensors)  # type: ignore[operator]
        grads = torch.autograd.grad(y.square().mean(), tensors, create_graph=True)
        return torch.autograd.grad(sum((grad.square().sum() for grad in grads), torch.zeros(())), tensors)

    ours = penalty(linear, [t.clone().requires_grad_() for t in given])
    exact = penalty(F.linear, [t.double().requires_grad_() for t in given])
    for grad, of_exact in zip(ours, exact, strict=True):
        torch.testing.assert_close(grad.double(), of_exact, atol=TOLERANCE, rtol=1e-4)


def test_forward_derivatives() -> None:
    given, tangents = large(), large()
    with forward_ad.dual_level():
        ours = linear(*map(forward_ad.make_dual, given, tangents))
        exact = F.linear(*(forward_ad.make_dual(t.double(), d.double()) for t, d in zip(given, tangents, strict=True)))
        tangent, of_exact = forward_ad.unpack_dual(ours).tangent, forward_ad.unpack_dual(exact).tangent
    assert tangent is not None
    assert of_exact is not None
    torch.testing.assert_close(tangent.double(), of_exact, atol=TOLERANCE, rtol=1e-5)


def test_only_the_gradients_asked_for_are_made() -> None:
    x, weight, bias = large()
    y = linear(x, weight, bias.requires_grad_())
    assert not is_plain(y)
    y.sum().backward()
    assert bias.grad is not None
    assert torch.equal(bias.grad, torch.full_like(bias, 640.0))


def test_elsewhere_it_is_the_plain_function() -> None:
    x, weight, bias = (t.requires_grad_() for t in large())
    assert is_plain(linear(x[:8], weight, bias))
    assert is_plain(linear(x.double(), weight.double(), bias.double()))
    assert is_plain(linear(x.bfloat16(), weight.bfloat16(), bias.bfloat16()))
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(x, weight, bias).dtype == torch.bfloat16
    with torch.backends.mkldnn.flags(enabled=False):
        assert is_plain(linear(x, weight, bias))


def test_in_transforms_of_functions_and_compiled_code() -> None:
    x, weight, bias = large()
    expected = F.linear(x, weight, bias)
    mapped = torch.func.vmap(linear, (0, None, None))(x, weight, bias)
    torch.testing.assert_close(mapped, expected, atol=TOLERANCE, rtol=0)
    compiled = torch.compile(linear, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, weight, bias), expected, atol=TOLERANCE, rtol=0)


def test_shapes_that_do_not_fit_are_refused() -> None:
    x, weight, _ = large()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        linear(x[:, :63], weight)


def test_the_layer_has_the_state_of_pytorchs() -> None:
    layer, plain = LinearLayer(64, 64), nn.Linear(64, 64)
    layer.load_state_dict(plain.state_dict())
    x, _, _ = large()
    plain, layer = plain.float(), layer.float()
    torch.testing.assert_close(layer(x), plain(x), atol=TOLERANCE, rtol=0)


def test_where_mkl_is_as_fast_it_is_the_plain_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowkit.nn.linear.mkl_is_slow", lambda: False)
    x, weight, bias = large()
    assert is_plain(linear(x.requires_grad_(), weight, bias))
