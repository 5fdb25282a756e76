import math

import pytest
import torch
from torch import nn

from flowkit import Chain, ClassConditional, Concatenate, DiagonalNormal, Elementwise, Flow, Mixture, StandardNormal
from flowkit.bijectors import Identity, Positive, StickBreaking
from flowkit.distributions import Blockwise, UniformTorus
from flowkit.transforms import PhaseShift


def test_its_density_is_the_product_and_samples_are_those_of_the_parts() -> None:
    base = Blockwise([UniformTorus(), StandardNormal(event_dims=1)], [2, 3]).double()
    z = torch.randn(7, 5, dtype=torch.float64).clamp(-3, 3)
    expected = -2 * math.log(2 * math.pi) + StandardNormal(event_dims=1).log_prob(z[:, 2:])
    torch.testing.assert_close(base.log_prob(z), expected)
    drawn = base.sample(500, (5,), generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    angles = UniformTorus().double().sample(500, (2,), generator=generator)
    torch.testing.assert_close(drawn[:, :2], angles, check_dtype=False)


def test_labels_go_to_parts_that_take_them() -> None:
    classes = ClassConditional([DiagonalNormal(1), DiagonalNormal(1)])
    base = Blockwise([StandardNormal(event_dims=1), classes], [2, 1])
    label = torch.tensor([0, 1, 1])
    z = torch.randn(3, 3)
    expected = StandardNormal(event_dims=1).log_prob(z[:, :2]) + classes.log_prob(z[:, 2:], label)
    torch.testing.assert_close(base.log_prob(z, label), expected)
    assert base.sample(3, (3,), label).shape == (3, 3)


def test_it_is_reparametrised_where_all_parts_are() -> None:
    base = Blockwise([DiagonalNormal(1), DiagonalNormal(2)], [1, 2])
    base.rsample(5, (3,)).sum().backward()
    assert all(parameter.grad is not None for parameter in base.parameters())
    with pytest.raises(NotImplementedError, match="use sample"):
        Blockwise([Mixture([StandardNormal()])], [2]).rsample(5, (2,))


def test_a_flow_takes_it_for_blocks_of_its_kinds() -> None:
    blocks = Concatenate([Positive(), Identity()], [1, 2])
    normal = StandardNormal(event_dims=1)
    flow = Flow(blocks, Blockwise([normal, normal], [1, 2]), (3,))
    assert (flow.sample(50)[:, 0] > 0).all()
    # A block of a simplex has fewer latents than entries.
    simplex = Chain([Concatenate([StickBreaking(), Identity()], [3, 1])])
    assert Flow(simplex, Blockwise([normal, normal], [2, 1]), (4,)).sample(7).shape == (7, 4)
    angles = Concatenate([Elementwise(PhaseShift(), (1,)), Identity()], [1, 1])
    assert Flow(angles, Blockwise([UniformTorus(), normal], [1, 1]), (2,)).sample(7).shape == (7, 2)
    with pytest.raises(ValueError, match="Blockwise has others as well"):
        Flow(angles, Blockwise([normal, normal], [1, 1]), (2,))


def test_its_support_is_that_of_all_blocks() -> None:
    support = Blockwise([UniformTorus(), StandardNormal(event_dims=1)], [1, 1]).support(1)
    values = torch.tensor([[1.0, 50.0], [4.0, 0.0]])
    assert support.check(values).tolist() == [True, False]


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"got 1 distributions and the sizes \[1, 2\]"):
        Blockwise([StandardNormal()], [1, 2])
    with pytest.raises(TypeError, match="Blockwise takes a base distribution, got Linear"):
        Blockwise([nn.Linear(1, 1)], [1])  # type: ignore[list-item]
    base = Blockwise([StandardNormal(event_dims=1)], [2])
    with pytest.raises(ValueError, match=r"blocks of \[2\], 2 in all, got events of shape \(3,\)"):
        base.log_prob(torch.rand(1, 3))
    with pytest.raises(ValueError, match=r"blocks of \[2\], 2 in all, got events of shape \(1,\)"):
        base.sample(1, (1,))
