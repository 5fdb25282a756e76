import math

import pytest
import torch

from flowkit.distributions.uniform import Uniform, uniform_like

LOWER, UPPER = torch.tensor([0.0, -1.0]), torch.tensor([1.0, 3.0])


def test_log_density_within_and_outside() -> None:
    base = Uniform(LOWER, UPPER).double()
    inside = torch.tensor([[0.5, 0.0], [0.0, -1.0], [1.0, 3.0]], dtype=torch.float64)
    torch.testing.assert_close(base.log_prob(inside), torch.full((3,), -math.log(4), dtype=torch.float64))
    outside = torch.tensor([[1.5, 0.0], [0.5, 4.0], [-0.1, -2.0], [math.nan, 0.0]], dtype=torch.float64)
    assert torch.equal(base.log_prob(outside), torch.full((4,), -math.inf, dtype=torch.float64))


def test_numbers_as_bounds_serve_any_event() -> None:
    base = Uniform(0, 2, event_dims=3)
    assert base.log_prob(torch.ones(2, 3, 4, 4)).tolist() == pytest.approx([-48 * math.log(2)] * 2)
    drawn = base.sample(2, (3, 4, 4))
    assert drawn.shape == (2, 3, 4, 4)
    assert drawn.dtype == torch.float32


def test_bounds_of_each_channel_of_images() -> None:
    base = Uniform(LOWER.view(2, 1, 1), UPPER.view(2, 1, 1), event_dims=3)
    drawn = base.sample(50, (2, 5, 5), generator=torch.Generator().manual_seed(0))
    assert base.log_prob(drawn).tolist() == pytest.approx([-25 * math.log(4)] * 50)
    # 1250 uniform numbers leave gaps at the ends of about a thousandth of the width.
    assert (drawn.amin((0, 2, 3)) - LOWER).abs().max() < 0.02
    assert (drawn.amax((0, 2, 3)) - UPPER).abs().max() < 0.02


def test_a_low_temperature_stays_near_the_middle_and_a_high_one_is_refused() -> None:
    base = Uniform(LOWER, UPPER)
    torch.testing.assert_close(base.sample(3, (2,), temperature=0.0), torch.tensor([0.5, 1.0]).expand(3, 2))
    drawn = base.sample(1000, (2,), temperature=0.5)
    assert ((drawn >= torch.tensor([0.25, 0.0])) & (drawn <= torch.tensor([0.75, 2.0]))).all()
    for temperature, said in ((1.1, "a Uniform takes 0 to 1"), (-0.1, "it must be at least 0")):
        with pytest.raises(ValueError, match=f"temperature is {temperature}; {said}"):
            base.sample(1, (2,), temperature=temperature)


def test_samples_never_leave_the_bounds() -> None:
    base = Uniform(torch.tensor(0.1), torch.tensor(0.1 + 1e-7))
    drawn = base.sample(1000, (4,), generator=torch.Generator().manual_seed(0))
    assert base.log_prob(drawn).isfinite().all()


def test_the_bounds_are_stored() -> None:
    base = Uniform(LOWER, UPPER)
    assert set(base.state_dict()) == {"lower", "upper"}
    assert list(base.parameters()) == []


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="must be greater than lower"):
        Uniform(LOWER, torch.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match=r"bounds of shape \(2,\) do not fit 0 event dimensions"):
        Uniform(LOWER, UPPER, event_dims=0)
    for event in ((3,), (1,), (2, 2)):
        with pytest.raises(ValueError, match=r"bounds of shape \(2,\), got the event shape"):
            Uniform(LOWER, UPPER).sample(1, event)
    with pytest.raises(ValueError, match=r"got the event shape \(1,\)"):
        Uniform(LOWER, UPPER).log_prob(torch.zeros(3, 1))


def test_uniform_like_takes_shape_and_type() -> None:
    noise = uniform_like((20000,), torch.zeros(1, dtype=torch.float64), torch.Generator().manual_seed(0))
    assert noise.dtype == torch.float64
    assert noise.min() >= 0
    assert noise.max() < 1
    # Five standard errors.
    assert abs(noise.mean() - 0.5) < 5 * math.sqrt(1 / 12 / 20000)
