"""The transformers as conditioners: who sees whom, and that a cache changes nothing."""

import copy

import pytest
import torch
from torch import Tensor

from flowkit.nn import (
    CausalTransformer,
    Guided,
    OptionalClassEmbedding,
    SelfAttention,
    TransformerBlock,
    VisionTransformer,
)
from flowkit.testing.subject import perturb

GRID = (2, 3)


def causal(context: int = 0) -> CausalTransformer:
    torch.manual_seed(0)
    network = CausalTransformer(3, 2, GRID, width=8, layers=2, heads=2, context_channels=context).double()
    perturb(network, 0.3)
    return network


def sequence(*batch: int) -> Tensor:
    return torch.randn(*batch, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def one_by_one(network: CausalTransformer | Guided, x: Tensor, prepared: object) -> Tensor:
    cache, known, found = network.new_cache(), x[..., :0, :], []
    for token in x.split(1, -2):
        found.append(network(known, prepared, cache))
        known = token
    return torch.cat(found, -2)


def test_attention_is_the_formula() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(6, heads=2).double()
    h = torch.randn(4, 5, 6, dtype=torch.float64)
    query, key, value = (part.unflatten(-1, (2, 3)) for part in (h @ layer.project_in.weight.T).chunk(3, -1))
    scores = torch.einsum("bihd,bjhd->bhij", query, key) / (0.5 * 3**0.5)
    for causal_, mask in ((False, torch.zeros(5, 5)), (True, torch.full((5, 5), -torch.inf).triu(1))):
        weights = (scores + mask).softmax(-1)
        expected = layer.project_out(torch.einsum("bhij,bjhd->bihd", weights, value).flatten(-2))
        torch.testing.assert_close(layer(h, causal_, temperature=0.5), expected)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
@pytest.mark.parametrize("context", [0, 2])
def test_a_cache_changes_nothing(batch: tuple[int, ...], context: int) -> None:
    network, x = causal(context), sequence(*batch)
    prepared = network.prepare(torch.randn(*batch, 2, *GRID, dtype=torch.float64)) if context else None
    torch.testing.assert_close(one_by_one(network, x, prepared), network(x, prepared))


def test_a_token_sees_those_before_it_and_the_context_up_to_it() -> None:
    network, x = causal(context=2), sequence()
    context = torch.randn(2, *GRID, dtype=torch.float64)
    by_token = torch.func.jacrev(lambda x: network(x, network.prepare(context)))(x).abs().sum((1, 3))
    assert ((by_token != 0) == torch.ones(6, 6).tril(-1).bool()).all()
    by_context = torch.func.jacrev(lambda c: network(x, network.prepare(c)))(context).abs().sum((1, 2)).flatten(1)
    assert ((by_context != 0) == torch.ones(6, 6).tril().bool()).all()


def test_a_context_of_one_position_is_for_all() -> None:
    network, x = causal(context=2), sequence(4)
    context = torch.randn(4, 2, 1, 1, dtype=torch.float64)
    expected = network(x, network.prepare(context.expand(4, 2, *GRID)))
    torch.testing.assert_close(network(x, network.prepare(context)), expected)
    torch.testing.assert_close(one_by_one(network, x, network.prepare(context)), expected)


def test_every_position_of_a_vision_transformer_sees_all() -> None:
    torch.manual_seed(0)
    network = VisionTransformer(3, 4, GRID, width=8, layers=1, heads=2).double()
    perturb(network, 0.3)
    jacobian = torch.func.jacrev(network)(torch.randn(3, *GRID, dtype=torch.float64))
    assert (jacobian.abs().sum((0, 3)) != 0).all()


def test_hooks_and_replaced_layers_have_their_effect() -> None:
    network, x = causal(), sequence(2)
    before = network(x)
    network.blocks[1] = TransformerBlock(8, 2).double()
    assert not torch.allclose(network(x), before)
    calls = []
    network.blocks[0].register_forward_hook(lambda *_: calls.append(1))
    network(x)
    assert calls == [1]


def test_guidance_moves_on_from_the_reference() -> None:
    network, x = causal(context=2), sequence(4)
    own, reference = torch.randn(2, 4, 2, 1, 1, dtype=torch.float64)
    guided = Guided(network, weight=2.0)
    y, away = network(x, network.prepare(own)), network(x, network.prepare(reference))
    torch.testing.assert_close(guided(x, guided.prepare((own, reference))), 3 * y - 2 * away)
    torch.testing.assert_close(guided(x, guided.prepare(own)), y)
    ramped = Guided(network, weight=2.0, temperature=3.0, ramp=True)
    flat = network(x, network.prepare(own), temperature=3.0)
    weights = 2.0 * torch.arange(6, dtype=torch.float64)[:, None] / 5
    prepared = ramped.prepare(own)
    torch.testing.assert_close(ramped(x, prepared), y + weights * (y - flat))
    torch.testing.assert_close(one_by_one(ramped, x, prepared), ramped(x, prepared))


def test_no_class_has_a_vector_of_its_own() -> None:
    network = OptionalClassEmbedding(3, 2, positions=0)
    with torch.no_grad():
        network.embedding.weight.copy_(torch.arange(8.0).reshape(4, 2))
    assert network(torch.tensor([[0, -1], [2, 1]]))[..., 0].tolist() == [[0, 6], [4, 2]]
    assert torch.equal(network(-1), torch.tensor([6.0, 7.0]))
    for wrong in (torch.tensor([3]), torch.tensor([-2])):
        with pytest.raises(ValueError, match="there are 3, 0 to 2, and -1 for none"):
            network(wrong)
    with pytest.raises(TypeError, match="class numbers are an integer tensor"):
        network(torch.tensor([0.5]))


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="width is 6 and heads 4"):
        SelfAttention(6, 4)
    with pytest.raises(ValueError, match="expansion is 0"):
        TransformerBlock(4, 2, 0)
    with pytest.raises(ValueError, match=r"the grid of a VisionTransformer is \(0, 2\)"):
        VisionTransformer(1, 1, (0, 2))
    with pytest.raises(ValueError, match="temperature is 0"):
        Guided(causal(), 1.0, temperature=0)
    network = causal(context=2)
    with pytest.raises(ValueError, match="takes a context of 2 features, got none"):
        network.prepare(None)
    with pytest.raises(ValueError, match="of 2 x 3 positions or of 1 x 1"):
        network.prepare(torch.zeros(2, 3, 2))
    with pytest.raises(ValueError, match=r"has 2 x 3 positions; after 0 tokens it takes 6 more, got .* \(5, 3\)"):
        causal()(torch.zeros(5, 3).double())
    with pytest.raises(ValueError, match="2 x 3 positions, got an image"):
        VisionTransformer(1, 1, GRID, 4, heads=2)(torch.zeros(1, 3, 2))


def test_second_derivatives_are_taken_by_the_plain_kernel() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(4, heads=2).double()
    h = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert torch.autograd.gradgradcheck(lambda h: layer(h, causal=True), h)


def test_a_full_cache_takes_no_more() -> None:
    network, x = causal(), sequence(1)
    cache, known = network.new_cache(), x[..., :0, :]
    for token in x.split(1, -2):
        network(known, None, cache)
        known = token
    with pytest.raises(ValueError, match="after 6 tokens"):
        network(known, None, cache)


def test_bfloat16_is_computed_in() -> None:
    network = copy.deepcopy(causal()).to(torch.bfloat16)
    x = sequence(4).to(torch.bfloat16)
    raw = network(x)
    assert raw.dtype == torch.bfloat16
    # Two layers of a dozen operations that round by 2^-9 each, of outputs of order 1.
    torch.testing.assert_close(raw.double(), causal()(x.double()), atol=0.1, rtol=0.1)
