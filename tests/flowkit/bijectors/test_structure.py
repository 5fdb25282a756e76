"""What moves, cuts and joins the entries of an event: Concatenate, Split, Reshape, Transpose, Identity."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from flowkit import (
    Chain,
    Conv1x1,
    Factorised,
    Flow,
    Inverse,
    LULinear,
    MultiScale,
    Reversal,
    Squeeze,
    StandardNormal,
    StudentT,
)
from flowkit.bijector import Bijector
from flowkit.bijectors import Concatenate, Identity, Injector, Positive, Reshape, Split, Stereographic, Transpose
from flowkit.interop.torch_transforms import BijectorTransform


def test_blocks_are_transformed_each_by_its_own() -> None:
    layer = Concatenate([Positive(), Reversal(2), Identity()], [1, 2, 1])
    z, log_det = layer(torch.tensor([math.e, 1.0, 2.0, 5.0]))
    torch.testing.assert_close(z, torch.tensor([1.0, 2.0, 1.0, 5.0]))
    torch.testing.assert_close(log_det, torch.tensor(-1.0))


def test_blocks_may_change_their_size_and_share_a_context() -> None:
    layer = Concatenate([Stereographic(), Injector(2, nn.Linear(1, 4), event_dims=1)], [3, 2])
    assert layer.output_shape((5,)) == (4,)
    assert layer.input_shape((4,)) == (5,)
    x = torch.cat([torch.tensor([0.0, 0.6, 0.8]), torch.randn(2)])
    one, other = (layer(x, torch.tensor([value]))[0] for value in (0.0, 1.0))
    assert torch.equal(one[:2], other[:2])
    assert not torch.equal(one[2:], other[2:])


def test_blocks_of_channels() -> None:
    layer = Concatenate([Conv1x1(2), Identity(event_dims=3)], [2, 1])
    x = torch.randn(4, 3, 5, 6)
    z, log_det = layer(x)
    assert torch.equal(z[:, 2], x[:, 2])
    torch.testing.assert_close(log_det, layer.parts[0](x[:, :2])[1])


def itself(chain: Chain) -> Chain:
    return chain.append(chain)


def test_blocks_may_come_from_a_generator() -> None:
    assert len(Concatenate((Identity() for _ in range(2)), [1, 2]).parts) == 2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Concatenate([], []), ValueError, "0 bijectors"),
        (lambda: Concatenate([Identity()], [1, 2]), ValueError, r"1 bijectors and the sizes \[1, 2\]"),
        (lambda: Concatenate([Identity(), Identity(3)], [1, 2]), ValueError, r"same event_dims, got some of \[1, 3\]"),
        (lambda: Concatenate([nn.Linear(1, 1)], [1]), TypeError, "takes a bijector, got the module Linear"),
        (lambda: Concatenate([Identity()], [2])(torch.rand(3)), ValueError, r"blocks of \[2\], 2 in all"),
        (
            lambda: Concatenate([Squeeze(), Squeeze()], [1, 1])(torch.rand(2, 4, 4)),
            ValueError,
            "keep all dimensions but the first",
        ),
        (lambda: Split([]), ValueError, "one block or more"),
        (lambda: Split([1, 2])(torch.rand(4)), ValueError, r"blocks of \[1, 2\], 3 in all, got the event shape \(4,\)"),
        (lambda: Split([1, 2]).inverse((torch.rand(1), torch.rand(1))), ValueError, r"joins blocks of \[1, 2\]"),
        (lambda: Reshape((2, 3), (5,)), ValueError, "have 6 entries, those of shape .* 5"),
        (lambda: Reshape((2, 3), (6,))(torch.rand(3, 2)), ValueError, r"of shape \(2, 3\) there, got \(3, 2\)"),
        (lambda: Reshape((-1, 4), (-4,)), ValueError, "a size of data_shape is -1; it must be at least 1"),
        (
            lambda: Transpose([1, 0]).output_shape((2, 3, 4)),
            ValueError,
            r"of 2 dimensions got the event shape \(2, 3, 4\)",
        ),
        (lambda: Transpose([1, 0]).input_shape((2,)), ValueError, r"of 2 dimensions got the event shape \(2,\)"),
        (lambda: itself(Chain([Reversal(2)])), ValueError, "cannot hold itself"),
        (
            lambda: MultiScale([LULinear(6), LULinear(3)], [nn.Linear(3, 6)]),  # type: ignore[list-item]
            TypeError,
            "MultiScale takes a bijector, got the module Linear",
        ),
        (
            lambda: MultiScale([LULinear(6), LULinear(2)], [Split([2, 2, 2])]).output_shape((6,)),  # type: ignore[list-item]
            ValueError,
            "Split gives events of the shapes",
        ),
        (lambda: Transpose([0, 0]), ValueError, r"order is \[0, 0\]; it must name each of the dimensions 0 to 1 once"),
    ],
)
def test_what_does_not_fit_is_named(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_blocks_that_leave_are_scored_by_a_base_of_their_own() -> None:
    heavy = StudentT(2, event_dims=1)
    flow = Flow(Split([1, 2]), Factorised([StandardNormal(), heavy]), (3,))
    x = torch.randn(5, 3)
    expected = StandardNormal().log_prob(x[:, :1]) + heavy.log_prob(x[:, 1:])
    torch.testing.assert_close(flow.log_prob(x), expected)
    assert flow.sample(7).shape == (7, 3)
    joined, _ = Inverse(Split([1, 2]))((x[:, :1], x[:, 1:]))
    assert torch.equal(joined, x)


def test_a_flow_of_vectors_over_images() -> None:
    """The dimensions of events change on the way; samples have the images' shape."""
    chain = Chain([Squeeze(), Reshape((4, 2, 2), (16,)), LULinear(16)])
    assert (chain.event_dims, chain.latent_event_dims) == (3, 1)
    turned = Inverse(chain)
    assert (turned.event_dims, turned.latent_event_dims) == (1, 3)
    flow = Flow(chain, StandardNormal(), (1, 4, 4))
    x = flow.sample(3)
    assert x.shape == (3, 1, 4, 4)
    assert flow.log_prob(x).shape == (3,)
    back = BijectorTransform(chain).inv(BijectorTransform(chain)(x))
    torch.testing.assert_close(back, x, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="takes 1 event dimensions"):
        chain.inverse(torch.tensor(1.0))


def test_transposing_brings_any_dimension_to_the_channels() -> None:
    # Times mixed by a matrix, for sequences channels x times.
    layer = Chain([Transpose([1, 0]), LULinear(4, event_dims=2), Transpose([1, 0])])
    x = torch.randn(7, 3, 4)
    z, log_det = layer(x)
    matrix, _ = layer.parts[1](torch.eye(4))
    torch.testing.assert_close(z, x @ matrix.T if matrix.ndim == 2 else z, rtol=1e-4, atol=1e-4)
    assert log_det.shape == (7,)


# --- chains ---------------------------------------------------------------------------------------------------------


def test_chains_are_lists_of_their_parts() -> None:
    first, second, third = Reversal(2), LULinear(2), Positive()
    chain = Chain([second])
    assert chain.append(first) is chain
    chain.insert(0, third)
    assert list(chain) == [third, second, first]
    assert len(chain) == 3
    assert chain[-1] is first
    assert list(chain[1:]) == [second, first]
    # The parts are shared.
    assert chain[1:][0] is second
    with pytest.raises(ValueError, match="at least one"):
        chain[3:]
    with pytest.raises(TypeError, match="a Chain takes a bijector, got a list"):
        chain.append([first])  # type: ignore[arg-type]


def test_a_chain_that_grew_runs_and_is_stored(tmp_path: Any) -> None:
    import flowkit

    chain = Chain([LULinear(2)])
    flow = Flow(chain, StandardNormal(), (2,))
    before = flow.log_prob(torch.ones(1, 2))
    chain.insert(0, Positive()).append(Reversal(2))
    # log 1 is 0, at which the matrices give 0.
    assert not torch.equal(flow.log_prob(torch.ones(1, 2)), before)
    flowkit.save_model(flow, tmp_path / "model")
    loaded = flowkit.load_model(tmp_path / "model")
    x = torch.rand(4, 2) + 0.1
    assert torch.equal(loaded.log_prob(x), flow.log_prob(x))  # type: ignore[operator]
    with pytest.raises(ValueError, match="takes values in the open interval"):
        flow.log_prob(-x)


def test_inserting_before_the_first_part_changes_what_a_chain_takes() -> None:
    chain = Chain([LULinear(16)])
    chain.insert(0, Reshape((1, 4, 4), (16,)))
    assert chain.event_dims == 3
    assert chain(torch.rand(2, 1, 4, 4))[0].shape == (2, 16)


def parts_of(bijector: Bijector[Any, Any]) -> list[str]:
    return [name for name, _ in bijector.named_parameters()]


def test_names_of_parameters_follow_their_places() -> None:
    chain = Chain([LULinear(2)])
    names = parts_of(chain)
    chain.insert(0, Reversal(2))
    assert parts_of(chain) == [name.replace("bijectors.0", "bijectors.1") for name in names]
