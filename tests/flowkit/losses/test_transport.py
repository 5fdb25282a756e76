"""Pairings within a batch against what is optimal."""

import builtins
import itertools
import sys

import pytest
import torch
from torch import Tensor

from flowkit.losses import ExactTransport, SinkhornTransport


def pairs(n: int, dimensions: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(2, n, dimensions, dtype=torch.float64, generator=generator)
    return 2 * x + 1, z


def cost(x: Tensor, z: Tensor) -> float:
    return float((x - z).square().sum())


def test_the_exact_assignment_is_the_cheapest_of_all() -> None:
    x, z = pairs(6)
    found = ExactTransport()(x, z)
    assert sorted(found.tolist()) == list(range(6))
    cheapest = min(cost(x, z[list(order)]) for order in itertools.permutations(range(6)))
    assert cost(x, z[found]) == pytest.approx(cheapest)


def test_images_are_paired_as_vectors() -> None:
    x, z = pairs(20, 12)
    image = (20, 3, 2, 2)
    assert torch.equal(ExactTransport()(x.reshape(image), z.reshape(image)), ExactTransport()(x, z))


def test_the_plan_keeps_both_marginals() -> None:
    x, z = pairs(40)
    rows = SinkhornTransport(iterations=200).plan(x, z)
    one = torch.ones(40, dtype=torch.float64)
    torch.testing.assert_close(rows.sum(1), one)
    # The last half step sets the rows; the columns converge to it, at a rate that the regularisation sets.
    torch.testing.assert_close(rows.sum(0), one, atol=1e-3, rtol=0)


def test_with_little_regularisation_it_is_the_exact_assignment_and_with_much_it_is_none() -> None:
    x, z = pairs(12)
    exact = ExactTransport()(x, z)
    sharp = SinkhornTransport(1e-3, iterations=3000).plan(x, z)
    assert torch.equal(sharp.argmax(1), exact)
    flat = SinkhornTransport(1e3).plan(x, z)
    torch.testing.assert_close(flat, torch.full_like(flat, 1 / 12), atol=1e-3, rtol=0)


def test_drawn_pairs_are_nearly_as_cheap_as_the_best_and_repeat_with_the_generator() -> None:
    x, z = pairs(200)
    best, chance = cost(x, z[ExactTransport()(x, z)]), cost(x, z)
    one, other = (SinkhornTransport()(x, z, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert cost(x, z[one]) < best + 0.2 * (chance - best)


def test_points_that_are_all_one_are_paired_too() -> None:
    x = torch.ones(5, 2)
    assert ExactTransport()(x, x).shape == SinkhornTransport()(x, x).shape == (5,)
    assert SinkhornTransport().plan(x, x).isfinite().all()


def test_invalid_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="regularisation is 0"):
        SinkhornTransport(0)
    with pytest.raises(ValueError, match="iterations 0"):
        SinkhornTransport(iterations=0)


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == "scipy":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    for module in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(ImportError, match=r'pip install "flowkit-core\[ot\]", or take SinkhornTransport'):
        ExactTransport()(*pairs(3))
    assert SinkhornTransport()(*pairs(3)).shape == (3,)
