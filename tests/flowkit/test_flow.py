import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import (
    ActNorm,
    Bijector,
    Chain,
    ClassConditional,
    ContextMap,
    ConvConditioner,
    Coupling,
    DiagonalNormal,
    Factorised,
    FactorOut,
    Flow,
    Gaussian,
    Injector,
    MaskedAutoregressive,
    Mixture,
    MultiScale,
    Residual,
    Squeeze,
    StandardNormal,
    ZeroConv2d,
    bits_per_dim,
    initialize,
)
from flowkit.bijectors import BlockNeuralAutoregressive
from flowkit.distributions import Distribution, normal_like
from flowkit.models.named.realnvp import realnvp
from flowkit.nn import MADE, MLP, BlockAutoregressive, ClassEmbedding, LipschitzMLP, VisionTransformer
from flowkit.testing.subject import perturb


class Swap(Bijector[Tensor, Tensor]):
    """The other half for the next coupling."""

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return x.flip(-1), x.new_zeros(x.shape[:-1])

    _inverse = _forward


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 2))


def plane_flow() -> Flow:
    torch.manual_seed(0)
    norm = ActNorm(2, event_dims=1)
    norm.mark_initialized()
    parts = [norm, Coupling(2, network(), event_dims=1), Swap(), Coupling(2, network(), event_dims=1)]
    flow = Flow(Chain(parts), Gaussian(2, event_dims=1)).double()
    perturb(flow, 0.3)
    return flow


def image_flow() -> Flow:
    torch.manual_seed(0)
    bijector = MultiScale([Squeeze(), Squeeze()], [FactorOut(12, ZeroConv2d(6, 12))])
    flow = Flow(bijector, Factorised([Gaussian(6), Gaussian(24)])).double()
    perturb(flow, 0.2)
    return flow


def test_the_density_integrates_to_one() -> None:
    side = torch.linspace(-15, 15, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        density = plane_flow().log_prob(grid).exp()
    # A smooth density that vanishes at the border: the sum over a grid of 0.05 is exact to far more digits.
    assert abs(density.sum().item() * 0.05**2 - 1) < 1e-6


def test_the_density_of_a_known_distribution() -> None:
    # A chain of a normalisation and the standard normal is a normal distribution again.
    norm = ActNorm(3, event_dims=1).double()
    mean, log_std = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.3, -1.0, 2.0]).double()
    with torch.no_grad():
        norm.bias.copy_(-mean)
        norm.log_scale.copy_(-log_std)
    norm.mark_initialized()
    x = torch.randn(5, 3, dtype=torch.float64)
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum(1)
    torch.testing.assert_close(Flow(norm, StandardNormal()).log_prob(x), expected)


@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_samples_are_latents_sent_back(temperature: float) -> None:
    flow = image_flow()
    shape = (3, 8, 4)
    x = flow.sample(5, shape, temperature=temperature, generator=torch.Generator().manual_seed(1))
    latents = flow.base.sample(
        5, flow.bijector.output_shape(shape), None, temperature, torch.Generator().manual_seed(1)
    )
    expected, log_det = flow.bijector.inverse(latents)
    torch.testing.assert_close(x, expected)
    # The density of a sample, from the side of its latents.
    torch.testing.assert_close(flow.log_prob(x), flow.base.log_prob(latents) - log_det)


def test_samples_follow_the_density() -> None:
    # The mean of any function over samples is its integral under the density; here, coordinates and their squares.
    flow = plane_flow()
    side = torch.linspace(-15, 15, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    number = 40000
    with torch.no_grad():
        density = flow.log_prob(grid).exp() * 0.05**2
        x = flow.sample(number, (2,), generator=torch.Generator().manual_seed(0))
    for function in (lambda v: v, lambda v: v.square(), lambda v: v.prod(1, keepdim=True)):
        integral = (density[:, None] * function(grid)).sum(0)
        values = function(x)
        # Five standard errors.
        assert ((values.mean(0) - integral).abs() < 5 * values.std(0) / math.sqrt(number)).all()


class TwoDomains(Distribution[Tensor]):
    """A base distribution that depends on a label."""

    takes_label = True

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        return StandardNormal().log_prob(z - label[:, None])

    def _sample(
        self, batch: int, shape: Any, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        return label[:, None] + temperature * normal_like((batch, *shape), label, generator)


def test_context_goes_to_the_bijector_and_label_to_the_base() -> None:
    torch.manual_seed(0)
    flow = Flow(Injector(3, nn.Linear(2, 6), event_dims=1), TwoDomains()).double()
    x, context = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    label = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    z, log_det = flow.bijector(x, context)
    torch.testing.assert_close(flow.log_prob(x, context, label), flow.base.log_prob(z, label) + log_det)
    drawn = flow.sample(4, (3,), context, label, temperature=0.0)
    torch.testing.assert_close(drawn, flow.bijector.inverse(label[:, None].expand(4, 3), context)[0])
    one = flow.sample(4, (3,), context[:1], label, generator=torch.Generator().manual_seed(0))
    assert one.shape == (4, 3)


def test_training_raises_the_likelihood() -> None:
    flow = plane_flow()
    x = torch.randn(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.3 + 1
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.05)
    before = flow.log_prob(x).mean().item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = -flow.log_prob(x).mean()
        loss.backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in flow.parameters())
    assert flow.log_prob(x).mean().item() > before + 1


def test_bits_per_dim() -> None:
    # Uniform over [0, 1]: no bits beyond the levels; half of the density costs one bit spread over the dimensions.
    log_prob = torch.tensor([0.0, -math.log(2)], dtype=torch.float64)
    torch.testing.assert_close(bits_per_dim(log_prob, 4, bins=256), torch.tensor([8.0, 8.25], dtype=torch.float64))
    torch.testing.assert_close(bits_per_dim(log_prob, 4), torch.tensor([0.0, 0.25], dtype=torch.float64))


def test_bits_per_dim_of_a_flow_counts_the_whole_image() -> None:
    flow = image_flow()
    x = torch.rand(2, 3, 8, 4, dtype=torch.float64)
    expected = -flow.log_prob(x) / (3 * 8 * 4 * math.log(2)) + 5
    torch.testing.assert_close(flow.bits_per_dim(x, bins=32), expected)


@pytest.mark.parametrize("batch", [(), (4,), (4, 3)])
def test_bits_per_dim_of_any_batch_shape(batch: tuple[int, ...]) -> None:
    flow, x = plane_flow(), torch.randn(*batch, 2, dtype=torch.float64)
    torch.testing.assert_close(flow.bits_per_dim(x), -flow.log_prob(x) / (2 * math.log(2)))


def test_called_as_a_module_it_gives_the_density() -> None:
    flow, x = plane_flow(), torch.randn(3, 2, dtype=torch.float64)
    assert torch.equal(flow(x), flow.log_prob(x))


def test_a_flow_starts_from_data_as_its_bijector_does() -> None:
    flow = Flow(ActNorm(2, event_dims=1), StandardNormal(), (2,))
    initialize(flow, torch.randn(100, 2) * 3 + 5)
    z, _ = flow.bijector(torch.full((1, 2), 5.0))
    assert z.abs().max() < 0.5


def test_a_base_of_other_event_dimensions_is_refused() -> None:
    flow = Flow(Squeeze(), StandardNormal())
    with pytest.raises(ValueError, match=r"StandardNormal gives log-densities of shape \(4, 12, 4\).*event_dims"):
        flow.log_prob(torch.rand(4, 3, 8, 8))


def test_the_other_order_is_refused() -> None:
    with pytest.raises(TypeError, match=r"the bijector first .* got StandardNormal and Squeeze"):
        Flow(StandardNormal(3), Squeeze())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((2.5,), TypeError, "batch is 2.5; it is a number of samples, or a tuple"),
        ((-1,), ValueError, "batch is -1"),
        ((2, (2,), None, None, -1.0), ValueError, "temperature is -1.0"),
        ((2, 5), ValueError, "shape is 5; expected the event shape as a tuple"),
    ],
)
def test_what_cannot_be_sampled_is_refused(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Flow(Swap(), StandardNormal(), (2,)).sample(*arguments)


def test_sample_has_no_gradients_and_rsample_has_them() -> None:
    flow = realnvp(2, layers=2, hidden=(4,))
    assert not flow.sample(5).requires_grad
    assert not any(tensor.requires_grad for tensor in flow.sample_and_log_prob(5))
    flow.rsample(5).square().sum().backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in flow.parameters())
    mixture = Flow(flow.bijector, Mixture([StandardNormal(), StandardNormal()]), (2,))
    assert mixture.sample(5).shape == (5, 2)
    with pytest.raises(NotImplementedError, match="Mixture does not draw its samples as a function"):
        mixture.rsample(5)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_samples_and_their_densities_in_one_pass(temperature: float) -> None:
    flow, context = conditional_flow(), torch.randn(4, 2, dtype=torch.float64)
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    coupling = flow.bijector.parts[0]  # type: ignore[operator]
    coupling.conditioner.first.register_forward_hook(count)
    for draw in (flow.sample_and_log_prob, flow.rsample_and_log_prob):
        calls = 0
        x, log_prob = draw((5,), context=context, temperature=temperature, generator=torch.Generator().manual_seed(0))
        # The part over the context, and the part over the data: a second pass would double them.
        assert calls == 2
        torch.testing.assert_close(log_prob, flow.log_prob(x, context))
        again = flow.sample((5,), context=context, temperature=temperature, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(x, again)


def test_the_gradient_of_the_reverse_divergence() -> None:
    # Of N(m, e^s) against the standard normal, KL = (m^2 + e^2s - 1) / 2 - s.
    flow = Flow(ActNorm(1, event_dims=1), StandardNormal(), (1,)).double()
    norm = flow.bijector
    norm.mark_initialized()  # type: ignore[operator]
    with torch.no_grad():
        norm.bias.fill_(-0.5)  # type: ignore[union-attr, operator]
        norm.log_scale.fill_(-0.3)  # type: ignore[union-attr, operator]
    x, log_q = flow.rsample_and_log_prob(100_000, generator=torch.Generator().manual_seed(0))
    divergence = (log_q - StandardNormal().log_prob(x)).mean()
    exact = (0.5**2 + math.exp(0.6) - 1) / 2 - 0.3
    # Standard errors of about 0.003.
    assert abs(divergence.item() - exact) < 0.015
    (grad,) = torch.autograd.grad(divergence, [norm.bias])  # type: ignore[list-item]
    # The mean is minus the bias.
    assert abs(grad.item() + 0.5) < 0.02


def conditional_flow() -> Flow:
    torch.manual_seed(0)
    flow = realnvp(3, layers=2, hidden=(4,), context_features=2).double()
    perturb(flow, 0.3)
    return flow


def test_a_shape_of_samples_for_each_row_of_a_context() -> None:
    flow, rows = conditional_flow(), torch.randn(7, 2, dtype=torch.float64)
    x = flow.sample((100, 2), context=rows)
    assert x.shape == (100, 2, 7, 3)
    assert flow.sample((5,), context=rows[0]).shape == (5, 3)
    assert flow.sample(context=rows).shape == (7, 3)
    # Latents of one seed: those of row i are generated under row i.
    latents = flow.base.sample(1400, (3,), generator=torch.Generator().manual_seed(3)).reshape(100, 2, 7, 3)
    x = flow.sample((100, 2), context=rows, generator=torch.Generator().manual_seed(3))
    for i in range(7):
        torch.testing.assert_close(x[:, :, i], flow.bijector.inverse(latents[:, :, i], rows[i : i + 1])[0])


def test_labels_have_samples_for_each_as_well() -> None:
    base = ClassConditional([DiagonalNormal(2) for _ in range(3)])
    with torch.no_grad():
        for i, part in enumerate(base.distributions):
            part.mean.fill_(100.0 * i)  # type: ignore[union-attr, operator]
    flow = Flow(Swap(), base, (2,))
    x = flow.sample((50,), label=torch.tensor([0, 2]))
    assert x.shape == (50, 2, 2)
    torch.testing.assert_close(x.mean((0, 2)), torch.tensor([0.0, 200.0]), atol=1.0, rtol=0)
    assert flow.log_prob(torch.zeros(2), label=torch.tensor([0, 1, 2])).shape == (3,)


def test_contexts_and_data_broadcast_both_ways() -> None:
    flow = conditional_flow()
    x, rows = torch.randn(5, 3, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64)
    each = torch.stack([flow.log_prob(x, row.expand(5, 2)) for row in rows], 1)
    torch.testing.assert_close(flow.log_prob(x[:, None], rows), each)
    torch.testing.assert_close(flow.log_prob(x[0], rows), each[0])
    torch.testing.assert_close(flow.log_prob(x, rows[:, None]), each.T)
    torch.testing.assert_close(flow.log_prob(x, rows[0]), each[:, 0])


WITH_CONTEXT: dict[str, tuple[Callable[[], Bijector[Any, Any]], int | None]] = {
    "an MLP": (lambda: Coupling(3, MLP(1, 4, context_features=2), event_dims=1), 1),
    "a masked network": (lambda: MaskedAutoregressive(3, MADE(3, 2, context_features=2)), 1),
    "a contraction": (lambda: Residual(LipschitzMLP(3, (8,), context_features=2)), 1),
    "a block network": (lambda: BlockNeuralAutoregressive(BlockAutoregressive(3, units=2, context_features=2)), 1),
    "convolutions": (lambda: Coupling(3, ConvConditioner(1, 4, 8, context_channels=2)), 3),
    "a transformer for images": (lambda: Coupling(2, VisionTransformer(1, 2, (4, 4), 8, 1, context_channels=2)), 3),
    "no context": (lambda: Coupling(3, MLP(1, 4), event_dims=1), None),
    "a network that says nothing": (lambda: Injector(2, nn.Linear(3, 4), event_dims=1), None),
    "contexts of two kinds": (
        lambda: Chain(
            [
                Coupling(3, MLP(1, 4, context_features=2), event_dims=1),
                Injector(3, ClassEmbedding(5, 6, positions=0), event_dims=1),
            ]
        ),
        None,
    ),
    "a context that is changed": (
        lambda: ContextMap(Coupling(3, MLP(1, 4, context_features=2), event_dims=1), nn.Flatten()),
        None,
    ),
}


@pytest.mark.parametrize("name", WITH_CONTEXT)
def test_networks_say_what_context_they_take(name: str) -> None:
    make, dims = WITH_CONTEXT[name]
    event_dims = make().event_dims
    assert Flow(make(), StandardNormal(event_dims)).context_dims == dims
    assert Flow(make(), StandardNormal(event_dims), context_dims=2).context_dims == 2


def test_flows_by_hand_broadcast_contexts_as_named_ones_do() -> None:
    torch.manual_seed(0)
    flow = Flow(Coupling(3, MLP(1, 4, context_features=2), event_dims=1), StandardNormal(), (3,)).double()
    perturb(flow, 0.3)
    x, rows = torch.randn(5, 3, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64)
    each = torch.stack([flow.log_prob(x, row.expand(5, 2)) for row in rows], 1)
    torch.testing.assert_close(flow.log_prob(x[:, None], rows), each)
    torch.testing.assert_close(flow.log_prob(x[0], rows), each[0])
    assert flow.sample((4,), context=rows).shape == (4, 7, 3)
    with pytest.raises(ValueError, match=r"data of batch shape \(5,\) and a context of batch shape \(7,\) do not fit"):
        flow.log_prob(x, rows)
