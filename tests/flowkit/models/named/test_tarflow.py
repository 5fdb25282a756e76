from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit import Flow, maf
from flowkit.bijectors import JacobiDecoding, use_decoding
from flowkit.models import NoiseAugmentation, guided, load_model, save_model
from flowkit.models.named.tarflow import tarflow
from flowkit.testing.subject import perturb


def of_classes(deviation: float = 0.3, **settings: Any) -> Flow:
    torch.manual_seed(0)
    flow = tarflow((1, 4, 4), blocks=2, layers=1, width=8, heads=2, **{"classes": 3, **settings}).double()
    perturb(flow, deviation)
    return flow.eval()


def images(*batch: int) -> Tensor:
    return torch.randn(*batch, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def test_each_class_has_a_density_and_so_has_none() -> None:
    flow, x = of_classes(), images(5)
    by_class = torch.stack([flow.log_prob(x, torch.tensor(k)) for k in (-1, 0, 1, 2)])
    assert by_class.shape == (4, 5)
    assert len({round(v, 9) for v in by_class[:, 0].tolist()}) == 4
    labels = torch.tensor([2, 0, -1, 1, 2])
    torch.testing.assert_close(flow.log_prob(x, labels), by_class[labels + 1, torch.arange(5)])
    # Contexts broadcast as everywhere: every image under every class.
    torch.testing.assert_close(flow.log_prob(x[:, None], torch.arange(3)), by_class[1:].T)
    assert flow.sample((4,), context=torch.arange(3)).shape == (4, 3, 1, 4, 4)
    with pytest.raises(ValueError, match="classes given run from 3 to 3; there are 3"):
        flow.log_prob(x, torch.tensor(3))


def test_two_blocks_in_opposite_order_let_every_pixel_see_all() -> None:
    flow = of_classes(classes=0)
    jacobian = torch.func.jacrev(lambda x: flow.bijector(x)[0].flatten())(images()).reshape(16, 16)
    assert (jacobian != 0).float().mean() > 0.9


def test_an_image_as_context_counts_everywhere() -> None:
    flow = of_classes(classes=0, context_channels=2)
    context = torch.randn(2, 4, 4, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda c: flow.bijector(images(), c)[0].flatten())(context).reshape(16, 32)
    # Its encoder lets every patch see the whole context, the first one as well.
    assert (jacobian.abs() > 0).all()


@pytest.mark.parametrize("settings", [{"weight": 1.5}, {"weight": 1.0, "temperature": 2.0, "ramp": True}])
def test_a_guided_flow_is_a_flow(settings: dict[str, Any]) -> None:
    flow = of_classes()
    led = guided(flow, **settings)
    labels = torch.tensor([0, 2, 1])
    x, log_prob = led.sample_and_log_prob(3, context=labels, generator=seeded())
    torch.testing.assert_close(led.log_prob(x, labels), log_prob)
    assert not torch.allclose(x, flow.sample(3, context=labels, generator=seeded()))
    use_decoding(led, JacobiDecoding())
    torch.testing.assert_close(led.sample(3, context=labels, generator=seeded()), x)


def test_guidance_of_weight_zero_changes_nothing_and_any_other_moves_away_from_no_class() -> None:
    flow = of_classes()
    labels = torch.tensor([0, 1, 2])
    torch.testing.assert_close(
        guided(flow, 0.0).sample(3, context=labels, generator=seeded()),
        flow.sample(3, context=labels, generator=seeded()),
    )
    # Led away from itself, it stays.
    none = torch.tensor([-1])
    torch.testing.assert_close(
        guided(flow, 2.0).sample(3, context=none, generator=seeded()), flow.sample(3, context=none, generator=seeded())
    )


def test_guidance_sharpens_what_a_class_means() -> None:
    """Of two classes whose images are dark and bright, guided samples are darker and brighter."""
    torch.manual_seed(0)
    flow = tarflow((1, 2, 2), patch=1, blocks=1, layers=1, width=8, heads=2, classes=2)
    optimizer = torch.optim.Adam(flow.parameters(), lr=2e-2)
    for _ in range(100):
        labels = torch.randint(2, (128,))
        x = (2.0 * labels - 1)[:, None, None, None] + torch.randn(128, 1, 2, 2)
        optimizer.zero_grad()
        (-flow.log_prob(x, labels.masked_fill(torch.rand(128) < 0.3, -1)).mean()).backward()
        optimizer.step()
    flow.eval()
    dark, bright = flow.sample((500,), context=torch.arange(2), generator=seeded()).mean((0, 2, 3, 4))
    darker, brighter = guided(flow, 1.0).sample((500,), context=torch.arange(2), generator=seeded()).mean((0, 2, 3, 4))
    # The means are at -1 and 1, and that without a class at 0.
    assert float(bright - dark) == pytest.approx(2, abs=0.4)
    assert float(brighter - darker) > float(bright - dark) + 0.5


def test_a_guided_flow_shares_the_parameters_and_is_not_stored(tmp_path: Any) -> None:
    flow = of_classes()
    led = guided(flow, 1.0)
    assert {id(p) for p in led.parameters()} == {id(p) for p in flow.parameters()}
    assert flow.recipe.name == "tarflow"
    with pytest.raises(ValueError, match="was changed since it was made"):
        save_model(led, tmp_path / "guided")
    save_model(flow, tmp_path / "flow")
    x, labels = images(3), torch.tensor([0, 1, -1])
    assert torch.equal(load_model(tmp_path / "flow").log_prob(x, labels), flow.log_prob(x, labels))


def test_there_has_to_be_something_to_lead_away_from() -> None:
    with pytest.raises(ValueError, match="guided already"):
        guided(guided(of_classes(), 1.0), 1.0)
    with pytest.raises(ValueError, match="nothing to lead away from; set a temperature above 1"):
        guided(of_classes(classes=0), 1.0)
    assert guided(of_classes(classes=0), 1.0, temperature=1.5).sample(2).shape == (2, 1, 4, 4)
    with pytest.raises(ValueError, match="Chain has no TransformerAutoregressive to guide"):
        guided(maf(2), 1.0)


def test_denoising_is_tweedies_formula() -> None:
    """Of a flow that is exactly normal, what is before the noise has a mean in closed form."""
    flow = tarflow((1, 2, 2), blocks=1, layers=1, width=8, heads=2, standardize=2 + 3 * torch.randn(5000, 1, 2, 2))
    loc, scale = flow.bijector.parts[0].loc, flow.bijector.parts[0].scale
    noise = NoiseAugmentation(0.5)
    y = 2 + 3 * torch.randn(4, 1, 2, 2)
    # y ~ N(m, s^2) with s^2 = s_x^2 + sigma^2: the mean of x is y - sigma^2 (y - m) / s^2.
    expected = y - 0.25 * (y - loc) / scale.square()
    torch.testing.assert_close(noise.denoise(flow, y), expected)
    with torch.inference_mode():
        torch.testing.assert_close(noise.denoise(flow, y.clone()), expected)
    assert not noise.denoise(flow, y).requires_grad
    assert all(p.grad is None for p in flow.parameters())


def test_noise_is_as_wide_as_it_says() -> None:
    x = torch.zeros(100_000)
    noisy = NoiseAugmentation(0.3)(x, seeded())
    # A relative standard error of 1 / sqrt(2 n), 0.002.
    assert noisy.std().item() == pytest.approx(0.3, rel=0.01)
    assert torch.equal(noisy, NoiseAugmentation(0.3)(x, seeded()))
    with pytest.raises(ValueError, match="sigma is 0"):
        NoiseAugmentation(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (3, 8)}, r"shape is \(3, 8\); it must be \(channels, height, width\)"),
        ({"patch": 3}, "height and width must be multiples of patch, 3"),
        ({"blocks": 0}, "blocks is 0"),
        ({"width": 6}, "width is 6 and heads 4"),
        ({"classes": 2, "context_channels": 1}, "either an image or a class"),
    ],
)
def test_invalid_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tarflow(**{"shape": (3, 8, 8), **settings})
