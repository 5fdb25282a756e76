from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit.distributions import Distribution, StandardNormal, normal_like


def test_normal_like_takes_shape_type_and_device() -> None:
    for dtype in (torch.float32, torch.float64):
        noise = normal_like((20000, 2), torch.zeros(1, dtype=dtype))
        assert noise.shape == (20000, 2)
        assert noise.dtype == dtype
        # Five standard errors of the mean and of the variance of 40000 numbers: 5 / 200 and 5 * sqrt(2) / 200.
        assert abs(noise.mean()) < 0.025
        assert abs(noise.var() - 1) < 0.036


def test_a_generator_makes_the_numbers_repeatable_and_leaves_the_global_state() -> None:
    like = torch.zeros(1)
    state = torch.get_rng_state()
    first = normal_like((3,), like, torch.Generator().manual_seed(1))
    assert torch.equal(normal_like((3,), like, torch.Generator().manual_seed(1)), first)
    assert not torch.equal(normal_like((3,), like, torch.Generator().manual_seed(2)), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_without_a_generator_the_global_one_is_used() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        first = normal_like((3,), torch.zeros(1))
        torch.manual_seed(5)
        assert torch.equal(normal_like((3,), torch.zeros(1)), first)


def test_a_distribution_written_for_version_0_1_works_until_0_3() -> None:
    with pytest.warns(DeprecationWarning, match="Before overrides .*: name the method _.*0.3"):

        class Before(Distribution[Tensor]):
            def log_prob(self, z: Tensor, label: Any = None) -> Tensor:
                return StandardNormal().log_prob(z - label)

            def sample(
                self, batch: int, shape: Any, label: Any = None, temperature: float = 1.0, generator: Any = None
            ) -> Tensor:
                return label + torch.zeros(batch, *shape, requires_grad=True)

    before, label = Before(), torch.tensor(2.0)
    z, log_prob = before.rsample_and_log_prob(3, (2,), label)
    assert z.requires_grad
    assert not before.sample(3, (2,), label).requires_grad
    assert torch.equal(z, torch.full((3, 2), 2.0))
    torch.testing.assert_close(log_prob, StandardNormal().log_prob(torch.zeros(3, 2)))
