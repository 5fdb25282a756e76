"""The autoregressive layer over positions: its order, its decodings, and its precision."""

import pytest
import torch
from torch import Tensor

from flowkit import Additive, Exp, Squeeze
from flowkit.bijectors import JacobiDecoding, SequentialDecoding, TransformerAutoregressive, use_decoding
from flowkit.models.named.tarflow import tarflow
from flowkit.nn import CausalTransformer
from flowkit.testing.subject import perturb
from flowkit.transforms.transform import Transform

GRID = (2, 3)


def layer(
    transform: Transform | None = None, reverse: bool = False, context: int = 0, deviation: float = 0.3
) -> TransformerAutoregressive:
    torch.manual_seed(0)
    count = 2 if transform is None else transform.parameters_per_element
    network = CausalTransformer(2, count, GRID, width=8, layers=1, heads=2, context_channels=context)
    made = TransformerAutoregressive(2, network, transform, reverse).double()
    perturb(made, deviation)
    return made.eval()


def image(*batch: int, channels: int = 2) -> Tensor:
    return torch.randn(*batch, channels, *GRID, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("reverse", [False, True])
def test_positions_depend_on_those_before_them_in_the_layers_order(reverse: bool) -> None:
    made, x = layer(reverse=reverse), image()
    jacobian = torch.func.jacrev(lambda x: made(x)[0])(x)
    by_position = jacobian.abs().sum((0, 3)).reshape(6, 6)
    order = torch.ones(6, 6).tril().bool()
    assert ((by_position != 0) == (order.T if reverse else order)).all()
    torch.testing.assert_close(made(x)[1], torch.linalg.slogdet(jacobian.reshape(12, 12))[1])


def test_reversed_it_sees_the_context_at_its_own_positions() -> None:
    made, x = layer(reverse=True, context=2), image()
    by_context = torch.func.jacrev(lambda c: made(x, c)[0])(image()).abs().sum((0, 3)).reshape(6, 6)
    assert ((by_context != 0) == torch.ones(6, 6).triu().bool()).all()


@pytest.mark.parametrize("transform", [None, Additive()], ids=["affine", "additive"])
@pytest.mark.parametrize("reverse", [False, True])
def test_both_decodings_agree_with_gradients_and_without(transform: Transform | None, reverse: bool) -> None:
    made, z = layer(transform, reverse, context=2), image(5)
    context = image(5)
    results = []
    for decoding in (SequentialDecoding(), JacobiDecoding()):
        made.decoding = decoding
        leaf = z.clone().requires_grad_()
        x, log_det = made.inverse(leaf, context)
        gradients = torch.autograd.grad(x.square().sum() + log_det.sum(), [leaf, *made.parameters()])
        with torch.no_grad():
            torch.testing.assert_close(made.inverse(z, context), (x, log_det), rtol=1e-12, atol=1e-12)
        results.append((x, log_det, *gradients))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


class Counted(CausalTransformer):
    calls = 0

    def forward(self, *arguments: object) -> Tensor:
        self.calls += 1
        return super().forward(*arguments)  # type: ignore[arg-type]


def test_jacobi_ends_where_nothing_moves_any_more() -> None:
    made = layer()
    network = Counted(2, 2, GRID, width=8, layers=1, heads=2).double()
    made.conditioner, made.decoding = network, JacobiDecoding()
    z = image(3)
    with torch.no_grad():
        # Its last layer is zero: nothing moves at all.
        made.inverse(z)
        assert network.calls == 1
        network.calls = 0
        perturb(network, 1.0)
        exact = made.inverse(z)[0]
        assert network.calls <= 6
        made.decoding, network.calls = JacobiDecoding(tolerance=1e-2), 0
        near = made.inverse(z)[0]
    torch.testing.assert_close(near, exact, atol=0.1, rtol=0.1)
    network.calls = 0
    made.inverse(z)
    assert network.calls == 6
    with pytest.raises(ValueError, match="tolerance is -1"):
        JacobiDecoding(-1.0)


def test_the_decoding_of_a_whole_model_is_set() -> None:
    flow = tarflow((1, 4, 2), blocks=3, layers=1, width=8, heads=2).double().eval()
    perturb(flow, 0.3)
    z = torch.randn(4, 4, 2, 1, dtype=torch.float64)
    with torch.no_grad():
        sequential = flow.bijector.inverse(z)
        use_decoding(flow, JacobiDecoding())
        torch.testing.assert_close(flow.bijector.inverse(z), sequential, rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="Squeeze contains no TransformerAutoregressive"):
        use_decoding(Squeeze(), JacobiDecoding())


def test_in_evaluation_autocast_and_half_precision_change_no_round_trip() -> None:
    made, x = layer().float(), image(8).float()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        z, _ = made(x)
        torch.testing.assert_close(made.inverse(z)[0], x, atol=1e-4, rtol=1e-4)
        exact = made(x)[0]
    assert torch.equal(z, exact)
    half = layer().to(torch.bfloat16)
    given = x.to(torch.bfloat16)
    with torch.no_grad():
        z, log_det = half._forward(given, None)
        back, _ = half._inverse(z, None)
    assert z.dtype == log_det.dtype == torch.float32
    torch.testing.assert_close(back, given.float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("how", ["autocast", "bfloat16"])
def test_in_training_the_network_computes_in_half_precision(how: str) -> None:
    made = layer().float().train()
    seen = []
    made.conditioner.last.register_forward_hook(lambda _, __, result: seen.append(result.dtype))
    x = image(8).float()
    exact = layer().float()(x)[1]
    if how == "autocast":
        with torch.autocast("cpu", torch.bfloat16):
            _, log_det = made(x)
    else:
        _, log_det = made.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert seen == [torch.bfloat16]
    assert log_det.dtype == torch.float32
    log_det.sum().backward()
    # Twelve log-scales of order 1, each off by some 2^-9 for each of a dozen operations.
    torch.testing.assert_close(log_det, exact, atol=0.3, rtol=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_it_trains_the_same() -> None:
    made, x = layer(), image(4)

    def loss(x: Tensor) -> Tensor:
        z, log_det = made(x)
        return z.square().sum() - log_det.sum()

    expected = torch.autograd.grad(loss(x), list(made.parameters()))
    torch.compiler.reset()
    got = torch.autograd.grad(torch.compile(loss, backend="eager", fullgraph=True)(x), list(made.parameters()))
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)
    torch.compiler.reset()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"TransformerAutoregressive\(2\) got the event shape \(3, 2, 3\)"):
        layer()(image(channels=3))
    with pytest.raises(ValueError, match="has 2 x 3 positions"):
        layer()(torch.zeros(2, 2, 2).double())
    with pytest.raises(ValueError, match="has no parameters for a conditioner to set"):
        TransformerAutoregressive(2, CausalTransformer(2, 1, GRID, 8), Exp())
