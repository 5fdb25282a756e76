"""Batches as rows, tuples as vectors."""

import pytest
import torch

from flowkit.interop.rows import batch_shape_of, context_rows, join_parts, split_parts, to_rows


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (0,)])
def test_rows_keep_the_samples_in_order(batch: tuple[int, ...]) -> None:
    value = torch.randn(*batch, 4, 2)
    rows, got = to_rows(value, event_dims=2)
    assert got == batch
    assert rows.shape == (torch.Size(batch).numel(), 4, 2)
    assert torch.equal(rows.reshape(value.shape), value)


def test_each_sample_gets_its_own_context() -> None:
    context = torch.arange(3.0)[:, None]
    rows = context_rows(context, 1, (2, 3))
    assert rows.flatten().tolist() == [0, 1, 2, 0, 1, 2]
    assert context_rows(context[:, None], 1, (3, 2)).flatten().tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 1, 5)])
def test_a_single_context_stays_a_single_row(shape: tuple[int, ...]) -> None:
    assert context_rows(torch.zeros(shape), 1, (2, 3)).shape == (1, 5)


def test_other_contexts_are_passed_on_unchanged() -> None:
    context = {"fine": torch.zeros(1, 2)}
    assert context_rows(context, 1, (7,)) is context
    assert context_rows(None, 1, (7,)) is None
    assert batch_shape_of(context, 1) == ()


def test_contexts_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"batch shape \(4,\) does not broadcast to samples of batch shape \(3,\)"):
        context_rows(torch.zeros(4, 2), 1, (3,))
    with pytest.raises(ValueError, match=r"context_dims is 3: .* shape \(4, 2\)"):
        batch_shape_of(torch.zeros(4, 2), 3)


def test_parts_are_joined_and_split() -> None:
    parts = torch.randn(2, 3, 2, 2), torch.randn(2, 5)
    joined = join_parts(parts)
    assert joined.shape == (2, 17)
    again = split_parts(joined, ((3, 2, 2), (5,)))
    assert all(torch.equal(a, b) for a, b in zip(again, parts, strict=True))
    assert join_parts(parts[0]) is parts[0]
    assert split_parts(parts[0], (3, 2, 2)) is parts[0]


def test_vectors_of_the_wrong_size_are_named() -> None:
    with pytest.raises(ValueError, match=r"rows of 17 numbers, got a tensor of shape \(2, 16\)"):
        split_parts(torch.zeros(2, 16), ((3, 2, 2), (5,)))
    with pytest.raises(ValueError, match="rows of 17 numbers"):
        split_parts(torch.zeros(2, 17, 1), ((3, 2, 2), (5,)))
