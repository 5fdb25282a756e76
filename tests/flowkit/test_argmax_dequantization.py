import pytest
import torch
from torch import Tensor, nn

from flowkit import ArgmaxDequantization, FixedAffine, Flow, Injector, StandardNormal, nsf


def conditional(classes: int, entries: int = 1) -> ArgmaxDequantization:
    torch.manual_seed(0)
    size = classes * entries
    network = nn.Linear(size, 2 * size)
    with torch.no_grad():
        network.weight.normal_(std=0.2)
        # Shifts of 0, and noise wider than a standard normal's: weights by the latter have a finite variance.
        network.bias.copy_(torch.tensor([0.0, -0.6]).repeat(size))
    return ArgmaxDequantization(classes, Injector(size, network, event_dims=1))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_the_argmax_is_the_category(classes: int, batch: tuple[int, ...]) -> None:
    dequantize = conditional(classes, entries=4)
    x = torch.randint(classes, (*batch, 4))
    v, log_q = dequantize(x)
    assert v.shape == (*batch, 4 * classes)
    assert log_q.shape == batch
    assert torch.equal(dequantize.quantize(v), x)
    # The numbers of an entry are next to each other.
    assert torch.equal(v.unflatten(-1, (4, classes)).argmax(-1), x)


def test_images_of_categories_keep_their_positions() -> None:
    dequantize = ArgmaxDequantization(3, event_dims=3)
    x = torch.randint(3, (2, 2, 4, 5))
    v, _ = dequantize(x)
    assert v.shape == (2, 6, 4, 5)
    assert torch.equal(dequantize.quantize(v), x)
    assert torch.equal(v[:, 3:].argmax(1), x[:, 1])


@pytest.mark.parametrize("make", [lambda: ArgmaxDequantization(3).double(), lambda: conditional(3).double()])
def test_q_is_a_density_over_the_numbers_of_that_argmax(make: object) -> None:
    """Weighted by p / q, the draws measure how much of p has each argmax: it is known for a shifted normal p."""
    dequantize = make()  # type: ignore[operator]
    shift = torch.tensor([0.5, 0.0, -0.5])
    torch.manual_seed(1)
    exact = torch.stack([(torch.randn(400_000, 3) + shift).argmax(-1).eq(k).float().mean() for k in range(3)])
    x = torch.arange(3).repeat_interleave(60_000)[:, None]
    with torch.no_grad():
        v, log_q = dequantize(x)
        weights = (StandardNormal().log_prob(v - shift) - log_q).exp()
    # The weights' standard deviation is of their mean's order: standard errors of a percent and less.
    torch.testing.assert_close(weights.view(3, -1).mean(1).float(), exact, rtol=0.04, atol=0.005)


def bound(flow: Flow, dequantize: ArgmaxDequantization, x: Tensor) -> Tensor:
    v, log_q = dequantize(x)
    return (flow.log_prob(v) - log_q).mean()


def test_training_the_bound_approaches_the_entropy_and_samples_have_the_frequencies() -> None:
    torch.manual_seed(0)
    frequencies = torch.tensor([0.7, 0.2, 0.1])
    x = torch.multinomial(frequencies, 2000, replacement=True)[:, None]
    flow, dequantize = nsf(3, layers=1, hidden=(16,), bins=4), conditional(3)
    optimizer = torch.optim.Adam([*flow.parameters(), *dequantize.parameters()], lr=0.03)
    for _ in range(60):
        optimizer.zero_grad()
        (-bound(flow, dequantize, x[torch.randint(2000, (300,))])).backward()
        optimizer.step()
    entropy = float((frequencies * frequencies.log()).sum())
    # A bound: never over the entropy but for chance.
    assert entropy - 0.5 < bound(flow, dequantize, x).item() < entropy + 0.05
    sampled = dequantize.quantize(flow.sample(4000))
    got = torch.bincount(sampled[:, 0], minlength=3) / 4000
    torch.testing.assert_close(got, frequencies, rtol=0, atol=0.12)


def test_a_generator_makes_it_repeatable() -> None:
    dequantize = ArgmaxDequantization(3)
    x = torch.tensor([[0, 1]])
    one, other = (dequantize(x, torch.Generator().manual_seed(0))[0] for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.tensor([0.0, 1.0]), TypeError, r"categories are integers, got a torch.float32 tensor"),
        (torch.tensor([0, 3]), ValueError, r"numbers from 0 to 2, got some from 0 to 3"),
        (torch.tensor([-1, 0]), ValueError, r"got some from -1 to 0"),
    ],
)
def test_what_is_no_category_is_refused(x: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ArgmaxDequantization(3)(x)


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="classes is 1"):
        ArgmaxDequantization(1)
    with pytest.raises(ValueError, match="1 event dimensions, the categories 3"):
        ArgmaxDequantization(2, Injector(2, nn.Linear(2, 4), event_dims=1), event_dims=3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_argmax_is_the_category_however_wide_the_noise_is(dtype: torch.dtype) -> None:
    """There the others are nearer to the largest number than its rounding."""
    torch.manual_seed(0)
    wide = FixedAffine(torch.zeros(6), torch.full((6,), 30.0))
    x = torch.randint(3, (2000, 2))
    layer = ArgmaxDequantization(3, wide, event_dims=1).to(dtype)
    assert torch.equal(layer.quantize(layer(x)[0]), x)
