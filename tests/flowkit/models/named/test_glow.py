from typing import Any

import pytest
import torch

from flowkit.bijectors.actnorm import initialize
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.factorised import Factorised
from flowkit.models.named.glow import glow
from tests.flowkit.models.settings import ready


def test_half_of_the_channels_leave_after_each_level_but_the_last() -> None:
    flow = glow((3, 16, 8), levels=3, steps=1, hidden=4)
    assert flow.bijector.output_shape((3, 16, 8)) == ((6, 8, 4), (12, 4, 2), (48, 2, 1))
    assert flow.event_shape == (3, 16, 8)


def test_images_of_other_sizes_are_taken() -> None:
    flow = ready("glow")
    assert flow.log_prob(torch.randn(2, 2, 8, 4, dtype=torch.float64)).shape == (2,)
    assert flow.sample(2, (2, 8, 12)).shape == (2, 2, 8, 12)


def test_each_level_sees_the_context_at_its_own_resolution() -> None:
    flow = ready("glow_conditional")
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    context = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    # A change of the context that leaves the means over 2 x 2 pixels as they are, and so all that the levels see.
    ripple = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double().repeat(2, 2)
    torch.testing.assert_close(flow.log_prob(x, context + ripple), flow.log_prob(x, context))
    # One that leaves those over 4 x 4 pixels moves the first level's latents, and the last through the first.
    coarse = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double().repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert not torch.allclose(flow.log_prob(x, context + coarse), flow.log_prob(x, context))
    assert flow.bijector.output_shape((1, 4, 4)) == ((2, 2, 2), (8, 1, 1))


def test_the_last_level_has_a_learned_prior() -> None:
    flow = glow((3, 4, 4), levels=2, steps=1, hidden=4)
    assert isinstance(flow.base, Factorised)
    last = flow.base.distributions[-1]
    assert isinstance(last, DiagonalNormal)
    assert last.channels == 24


def test_it_waits_for_data_to_start_from() -> None:
    flow = glow((3, 4, 4), levels=2, steps=1, hidden=4)
    images = torch.rand(8, 3, 4, 4)
    with pytest.raises(RuntimeError, match="initialize"):
        flow.log_prob(images)
    initialize(flow.bijector, images)
    assert flow.log_prob(images).shape == (8,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (3, 8)}, r"shape is \(3, 8\); it must be \(channels, height, width\)"),
        ({"shape": (3, 8, 12)}, "height and width must be multiples of 2 .. levels, 8"),
        ({"shape": (0, 8, 8)}, "channels is 0"),
        ({"levels": 0}, "levels is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"context_channels": -1}, "context_channels is -1"),
    ],
)
def test_invalid_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        glow(**{"shape": (3, 8, 8), **settings})
