"""Bijectors from supports against the transforms that torch has for them, and their digits at the edges."""

import math
from typing import Any

import pytest
import torch
from torch.distributions import transforms as tt

from flowkit.bijector import Bijector
from flowkit.bijectors import (
    Box,
    CorrelationCholesky,
    Moebius,
    Ordered,
    Positive,
    SoftmaxCentred,
    SphereToCylinder,
    Stereographic,
    StickBreaking,
)

PAIRS: dict[str, tuple[Bijector[Any, Any], tt.Transform, tuple[int, ...]]] = {
    "Positive": (Positive(), tt.ExpTransform(), (4,)),
    "Box": (Box(-1.0, 3.0), tt.ComposeTransform([tt.SigmoidTransform(), tt.AffineTransform(-1.0, 4.0)]), (4,)),
    "StickBreaking": (StickBreaking(), tt.StickBreakingTransform(), (4,)),
    "CorrelationCholesky": (CorrelationCholesky(), tt.CorrCholeskyTransform(), (6,)),
}


@pytest.mark.parametrize(("bijector", "transform", "shape"), PAIRS.values(), ids=PAIRS)
def test_values_and_log_determinants_are_torch_s(
    bijector: Bijector[Any, Any], transform: tt.Transform, shape: tuple[int, ...]
) -> None:
    bijector = bijector.double()
    z = 2 * torch.randn(50, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, log_det = bijector.inverse(z)
    expected = transform(z)
    torch.testing.assert_close(x, expected)
    theirs = transform.log_abs_det_jacobian(z, expected)
    theirs = theirs.sum(-1) if theirs.ndim == 2 else theirs
    # torch clamps shares of a stick at the smallest number; some 1e-9 of what these make.
    torch.testing.assert_close(log_det, theirs, rtol=1e-6, atol=1e-6)
    back, log_det_back = bijector(x)
    torch.testing.assert_close(back, z, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(log_det_back, -log_det, rtol=1e-6, atol=1e-6)


def test_equal_probabilities_are_at_zero() -> None:
    equal = torch.full((5,), 0.2, dtype=torch.float64)
    for bijector in (StickBreaking(), SoftmaxCentred()):
        torch.testing.assert_close(bijector(equal)[0], torch.zeros(4, dtype=torch.float64))


@pytest.mark.parametrize("bijector", [StickBreaking(), SoftmaxCentred()], ids=["StickBreaking", "SoftmaxCentred"])
def test_small_probabilities_keep_their_digits(bijector: Bijector[Any, Any]) -> None:
    # torch's own, in float32, gives minus infinity, or clamps, for the last two.
    x = torch.tensor([0.3, 0.7, 1e-20, 3e-30])
    z, log_det = bijector(x)
    back, log_det_back = bijector.inverse(z)
    torch.testing.assert_close(back, x, rtol=1e-4, atol=0)
    torch.testing.assert_close(log_det, -log_det_back, rtol=1e-5, atol=0)
    exact, exact_log_det = bijector(x.double())
    torch.testing.assert_close(z.double(), exact, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(log_det.double(), exact_log_det, rtol=1e-5, atol=1e-5)


def test_correlations_near_one_keep_their_digits() -> None:
    z = torch.tensor([8.0, -8.0, 8.0])
    x, log_det = CorrelationCholesky().inverse(z)
    back, log_det_back = CorrelationCholesky()(x)
    torch.testing.assert_close(back, z, rtol=1e-4, atol=0)
    torch.testing.assert_close(log_det, -log_det_back, rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("bijector", "features"),
    [
        (Box(0.0, 1.0), 3),
        (Box(1000.0, 1001.0), 3),
        (Ordered(), 3),
        (StickBreaking(), 3),
        (SoftmaxCentred(), 3),
        (CorrelationCholesky(), 10),
    ],
    ids=lambda value: type(value).__name__,
)
def test_samples_lie_on_the_support_however_far_out_latents_are(
    bijector: Bijector[Any, Any], features: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    z = torch.logspace(-1, 2, 4000, dtype=dtype)[:, None] * torch.randn(4000, features, dtype=dtype)
    x, _ = bijector.inverse(z)
    # No error, and numbers: a flow scores its own samples.
    back, log_det = bijector(x)
    assert back.isfinite().all()
    assert log_det.isfinite().all()


def test_small_steps_beside_large_numbers_still_increase() -> None:
    x, _ = Ordered().inverse(torch.tensor([1000.0, -12.0, -14.0]))
    assert (x.diff() > 0).all()
    # Two of the numbers that float32 has there.
    assert x.diff().max() < 3e-4


def test_steps_that_underflow_are_refused_and_others_come_back() -> None:
    z = torch.tensor([3.0, -15.0, 2.0])
    x, _ = Ordered().inverse(z)
    assert (x.diff() > 0).all()
    with pytest.raises(ValueError, match="whose entries increase"):
        Ordered()(torch.tensor([1.0, 1.0]))


def test_the_stereographic_pole_is_at_infinity_and_near_it_digits_are_kept() -> None:
    # 1 - x_3 is 5e-9 there, far below what float32 tells from 0.
    x = torch.tensor([1e-4, 0.0, 1.0])
    z, log_det = Stereographic()(x)
    assert z[0] == pytest.approx(2e4, rel=1e-3)
    assert log_det == pytest.approx(-2 * math.log(5e-9), rel=1e-3)
    with pytest.raises(ValueError, match="other than the pole"):
        Stereographic()(torch.tensor([0.0, 0.0, 1.0]))
    # Latents whose squares overflow are as near to it as can be told, and come back as points of the sphere.
    x, log_det = Stereographic().inverse(torch.tensor([[1e25, -1e30], [0.0, 3e38]]))
    assert bool(log_det.isfinite().all() and Stereographic()(x)[0].isfinite().all())


def test_the_cylinder_keeps_the_area_of_the_ordinary_sphere() -> None:
    x = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64), dim=-1)
    z, log_det = SphereToCylinder()(x)
    assert not log_det.any()
    torch.testing.assert_close(z[:, 1], x[:, 2])


def test_moebius_transformations_stay_on_the_sphere_in_float32() -> None:
    layer = Moebius(3)
    with torch.no_grad():
        layer.source.own.copy_(torch.tensor([30.0, -5.0, 2.0]))
    x = torch.nn.functional.normalize(torch.randn(1000, 3), dim=-1)
    for _ in range(3):
        x, _ = layer(x)
    assert (x.norm(dim=-1) - 1).abs().max() < 1e-4
