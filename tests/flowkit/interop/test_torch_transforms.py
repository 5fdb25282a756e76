"""Transforms of torch.distributions as bijectors, and bijectors as such transforms."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Independent,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    constraints,
    transforms,
)

from flowkit import Bijector, Chain, Flow, Inverse, MultiScale, Squeeze, StandardNormal
from flowkit.interop.constraints import interval_of
from flowkit.interop.torch_transforms import BijectorTransform, FromTorchTransform
from flowkit.testing import run_checks
from tests.flowkit.interop.flows import Exponential, Scale, conditional, couplings

# Rounding of a handful of float64 operations on numbers of order 1 to 10; the smallest mistake is of order 0.1.
TOLERANCE = 1e-10


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


def jacobian_log_det(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    jacobian = torch.autograd.functional.jacobian(lambda v: function(v.view_as(value)).flatten(), value.flatten())
    assert isinstance(jacobian, Tensor)
    return torch.linalg.slogdet(jacobian).logabsdet


LOCATION = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
SCALES = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
FACTOR = torch.tensor([[1.0, 0.0, 0.0], [0.3, 2.0, 0.0], [-0.4, 0.2, 0.5]], dtype=torch.float64)


class Rotation(transforms.Transform):
    """A transform of vectors, of torch's kind, with a log-determinant that is not zero."""

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.real_vector

    def _call(self, x: Tensor) -> Tensor:
        return x @ FACTOR.T

    def _inverse(self, y: Tensor) -> Tensor:
        return torch.linalg.solve(FACTOR, y[..., None])[..., 0]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return FACTOR.diagonal().log().sum().expand(x.shape[:-1])


TRANSFORMS: dict[str, Callable[[], transforms.Transform]] = {
    "affine_number": lambda: transforms.AffineTransform(2.0, -3.0),
    "affine_vector": lambda: transforms.AffineTransform(LOCATION, SCALES),
    "affine_event": lambda: transforms.AffineTransform(LOCATION, SCALES, event_dim=1),
    "affine_inverse": lambda: transforms.AffineTransform(LOCATION, SCALES).inv,
    "exp": transforms.ExpTransform,
    "log": lambda: transforms.ExpTransform().inv,
    "sigmoid": transforms.SigmoidTransform,
    "tanh": transforms.TanhTransform,
    "softplus": transforms.SoftplusTransform,
    "power": lambda: transforms.PowerTransform(torch.tensor(1.7, dtype=torch.float64)),
    "composed": lambda: transforms.ComposeTransform(
        [transforms.AffineTransform(LOCATION, SCALES), Rotation(), transforms.SigmoidTransform()]
    ),
    "independent": lambda: transforms.IndependentTransform(transforms.ExpTransform(), 1),
    "vectors": Rotation,
    "empty": lambda: transforms.ComposeTransform([]),
    "joined": lambda: transforms.CatTransform(
        [transforms.AffineTransform(1.0, 2.0), transforms.TanhTransform()], dim=-1, lengths=[1, 2]
    ),
    "cached": lambda: transforms.ExpTransform(cache_size=1),
}
ANY = pytest.mark.parametrize("name", TRANSFORMS)


def within(interval: tuple[float, float], shape: tuple[int, ...]) -> Tensor:
    lower, upper = interval
    numbers = torch.randn(shape, dtype=torch.float64)
    if math.isfinite(lower) and math.isfinite(upper):
        return lower + (upper - lower) * numbers.sigmoid()
    return lower + numbers.exp() if math.isfinite(lower) else numbers


# --- torch's transform as a bijector --------------------------------------------------------------------------------


@ANY
@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)], ids=str)
def test_a_torch_transform_keeps_the_contract(name: str, batch: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    bijector = FromTorchTransform(TRANSFORMS[name]())
    x = within(bijector.domain(torch.float64), (*batch, 3))
    z, log_det = bijector(x)
    back, log_det_back = bijector.inverse(z)
    assert z.shape == x.shape
    assert log_det.shape == log_det_back.shape == batch
    assert z.dtype == log_det.dtype == torch.float64
    close(back, x)
    close(log_det + log_det_back, torch.zeros(batch, dtype=torch.float64))
    rows, expected = x.reshape(-1, 3), log_det.reshape(-1)
    for row, one in zip(rows, expected, strict=True):
        close(one, jacobian_log_det(lambda v: bijector(v)[0], row))


@pytest.mark.parametrize(
    "make",
    [
        lambda: transforms.AffineTransform(2.0, -3.0).inv,
        transforms.SigmoidTransform,
        lambda: transforms.SigmoidTransform().inv,
        lambda: transforms.ComposeTransform([transforms.AffineTransform(1.0, -2.0), transforms.SigmoidTransform()]),
    ],
    ids=["affine_inverse", "sigmoid", "logit", "composed"],
)
def test_the_checks_of_the_contract(make: Callable[[], transforms.Transform]) -> None:
    run_checks(lambda: FromTorchTransform(make()), event=(3,), seeds=(0,)).raise_for_failures()


def test_the_transform_is_kept() -> None:
    transform = transforms.ExpTransform()
    assert FromTorchTransform(transform).transform is transform
    assert FromTorchTransform(transform.inv).transform is transform.inv


def test_forward_is_the_call_and_not_its_inverse() -> None:
    bijector = FromTorchTransform(transforms.AffineTransform(5.0, 2.0).inv)
    z, log_det = bijector(torch.tensor([[5.0, 9.0]]))
    assert torch.equal(z, torch.tensor([[0.0, 2.0]]))
    torch.testing.assert_close(log_det, torch.tensor([-2 * math.log(2)]))
    flow = Flow(bijector, StandardNormal())
    expected = Independent(Normal(torch.full((2,), 5.0), 2.0), 1)
    x = torch.randn(3, 2)
    torch.testing.assert_close(flow.log_prob(x), expected.log_prob(x))


def test_the_log_determinant_is_summed_over_the_event_alone() -> None:
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    for event_dims, batch in ((1, (2, 3, 4)), (3, (2,)), (4, ())):
        _, log_det = FromTorchTransform(transforms.ExpTransform(), event_dims)(x)
        close(log_det, x.reshape(*batch, -1).sum(-1))


def test_a_constant_log_determinant_counts_for_every_element() -> None:
    class Doubled(transforms.Transform):
        bijective = True
        domain = codomain = constraints.real

        def _call(self, x: Tensor) -> Tensor:
            return 2 * x

        def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
            return torch.tensor(2.0).log()

    _, log_det = FromTorchTransform(Doubled())(torch.ones(5, 3))
    torch.testing.assert_close(log_det, torch.full((5,), 3 * math.log(2)))


def test_shapes_change_as_the_transform_says() -> None:
    bijector = FromTorchTransform(transforms.ReshapeTransform((4, 2, 2), (1, 4, 4)))
    assert bijector.event_dims == 3
    assert bijector.output_shape((4, 2, 2)) == (1, 4, 4)
    assert bijector.input_shape((1, 4, 4)) == (4, 2, 2)
    x = torch.randn(5, 4, 2, 2)
    z, log_det = bijector(x)
    assert z.shape == (5, 1, 4, 4)
    assert log_det.shape == (5,)
    chain = Chain([Squeeze(), bijector])
    assert chain.output_shape((1, 4, 4)) == (1, 4, 4)
    image = torch.randn(2, 1, 4, 4)
    torch.testing.assert_close(chain.inverse(chain(image)[0])[0], image)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_log_determinants_are_float32_at_least(dtype: torch.dtype) -> None:
    z, log_det = FromTorchTransform(transforms.ExpTransform())(torch.ones(2, 3, dtype=dtype))
    assert z.dtype == dtype
    assert log_det.dtype == torch.float32


def test_values_outside_the_domain_are_refused() -> None:
    bijector = FromTorchTransform(transforms.SigmoidTransform().inv)
    with pytest.raises(ValueError, match=r"open interval \(0, 1\), got 1.5"):
        bijector(torch.tensor([[0.5, 1.5]]))
    with pytest.raises(ValueError, match=r"open interval \(0, inf\), got -1"):
        Inverse(FromTorchTransform(transforms.ExpTransform()))(torch.tensor([-1.0]))


def test_transforms_that_are_not_bijective_are_refused() -> None:
    with pytest.raises(ValueError, match="AbsTransform is not bijective"):
        FromTorchTransform(transforms.AbsTransform())
    with pytest.raises(ValueError, match="ReshapeTransform takes events of 1 dimensions to events of 2"):
        FromTorchTransform(transforms.ReshapeTransform((4,), (2, 2)))
    with pytest.raises(ValueError, match="event_dims is 1; ReshapeTransform takes events of 3 dimensions"):
        FromTorchTransform(transforms.ReshapeTransform((4, 2, 2), (1, 4, 4)), event_dims=1)
    with pytest.raises(TypeError, match="got a Squeeze"):
        FromTorchTransform(Squeeze())


def test_log_determinants_of_another_shape_than_promised_are_named() -> None:
    class Unsummed(Rotation):
        def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
            return torch.zeros_like(x)

    with pytest.raises(ValueError, match=r"Unsummed gave log-determinants of shape \(4, 3\) .* events of 1 dimensions"):
        FromTorchTransform(Unsummed())(torch.randn(4, 3, dtype=torch.float64))


def test_gradients_reach_the_tensors_of_the_transform() -> None:
    scale = torch.tensor([0.5, 2.0], requires_grad=True)
    _, log_det = FromTorchTransform(transforms.AffineTransform(0.0, scale))(torch.ones(4, 2))
    log_det.sum().backward()
    assert scale.grad is not None
    torch.testing.assert_close(scale.grad, 4 / scale.detach())


# --- a bijector as torch's transform --------------------------------------------------------------------------------


def check_view(bijector: Bijector[Tensor, Tensor], x: Tensor, cache_size: int) -> None:
    transform = BijectorTransform(bijector, cache_size=cache_size)
    y = transform(x)
    z, log_det = bijector(x)
    close(y, z)
    close(transform.inv(y), x)
    close(transform.log_abs_det_jacobian(x, y), log_det)
    close(transform.inv.log_abs_det_jacobian(y, x), -log_det)
    assert transform.forward_shape(x.shape) == y.shape
    assert transform.inverse_shape(y.shape) == x.shape


@pytest.mark.parametrize("cache_size", [0, 1])
@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)], ids=str)
def test_a_bijector_is_a_torch_transform(batch: tuple[int, ...], cache_size: int) -> None:
    check_view(couplings(3), torch.randn(*batch, 3, dtype=torch.float64), cache_size)
    check_view(Squeeze(), torch.randn(*batch, 2, 4, 6, dtype=torch.float64), cache_size)


def test_event_dimensions_and_intervals_are_the_bijectors() -> None:
    transform = BijectorTransform(Squeeze())
    assert transform.domain.event_dim == transform.codomain.event_dim == transform.event_dim == 3
    positive = BijectorTransform(Exponential())
    assert positive.domain.event_dim == 1
    assert interval_of(positive.domain) == interval_of(positive.inv.codomain) == (0, math.inf)
    assert interval_of(positive.codomain) == (-math.inf, math.inf)
    assert transform.bijective
    assert transform.inv.inv is transform


@pytest.mark.parametrize("cache_size", [0, 1])
def test_an_affine_flow_of_a_normal_has_its_closed_form(cache_size: int) -> None:
    bijector = Scale([1.0, -2.0, 0.5], [0.5, 2.0, 3.0])
    base = Independent(Normal(torch.zeros(3, dtype=torch.float64), 1.0), 1)
    density = TransformedDistribution(base, [BijectorTransform(bijector, cache_size=cache_size).inv])
    expected = Independent(Normal(LOCATION, SCALES), 1)
    x = torch.randn(7, 3, dtype=torch.float64)
    assert density.event_shape == (3,)
    assert density.batch_shape == ()
    assert density.has_rsample
    close(density.log_prob(x), expected.log_prob(x))
    torch.manual_seed(0)
    drawn = density.rsample((5,))
    torch.manual_seed(0)
    close(drawn, expected.rsample((5,)))


def test_bijectors_and_torch_transforms_mix() -> None:
    # x = exp(A (s u + b)): log-normal with the covariance A diag(s^2) A^T.
    layers = [BijectorTransform(Scale([1.0, -2.0, 0.5], [0.5, 2.0, 3.0])).inv, Rotation(), transforms.ExpTransform()]
    base = Normal(torch.zeros(3, dtype=torch.float64), 1.0)
    density = TransformedDistribution(base, layers)
    assert density.event_shape == (3,)
    factor = FACTOR @ SCALES.diag()
    gaussian = MultivariateNormal(FACTOR @ LOCATION, scale_tril=factor)
    x = torch.randn(6, 3, dtype=torch.float64).exp()
    close(density.log_prob(x), gaussian.log_prob(x.log()) - x.log().sum(-1))
    assert density.support.check(x).all()
    assert not density.support.check(-x).any()
    close(density.expand((4, 6)).log_prob(x), density.log_prob(x).expand(4, 6))


def test_composed_and_inverted() -> None:
    inner = couplings(3)
    composed = transforms.ComposeTransform([BijectorTransform(inner), transforms.ExpTransform()])
    bijector = FromTorchTransform(composed)
    x = torch.randn(4, 3, dtype=torch.float64)
    z, log_det = bijector(x)
    expected, inner_log_det = inner(x)
    close(z, expected.exp())
    close(log_det, inner_log_det + expected.sum(-1))
    again = FromTorchTransform(BijectorTransform(inner))
    close(again(x)[1], inner_log_det)
    assert composed.domain.event_dim == composed.inv.domain.event_dim == 1


def test_a_context_widens_the_batch() -> None:
    bijector = conditional(3, context=2)
    context = torch.randn(4, 2, dtype=torch.float64)
    transform = BijectorTransform(bijector, context)
    assert transform.forward_shape(torch.Size((3,))) == (4, 3)
    assert transform.inverse_shape(torch.Size((5, 4, 3))) == (5, 4, 3)
    x = torch.randn(3, dtype=torch.float64)
    close(transform(x), bijector(x.expand(4, 3), context)[0])
    density = TransformedDistribution(Normal(torch.zeros(3, dtype=torch.float64), 1.0), [transform.inv])
    assert density.batch_shape == (4,)
    assert density.sample((5,)).shape == (5, 4, 3)
    values = torch.randn(5, 4, 3, dtype=torch.float64)
    close(density.log_prob(values)[2, 1], Flow(bijector, StandardNormal()).log_prob(values[2, 1:2], context[1:2])[0])


def test_with_a_cache_the_bijector_runs_once() -> None:
    calls: list[str] = []

    class Counted(Scale):
        def _forward(self, x: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
            calls.append("forward")
            return super()._forward(x, prepared)

        def _inverse(self, z: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
            calls.append("inverse")
            return super()._inverse(z, prepared)

    def density(cache_size: int) -> TransformedDistribution:
        base = Independent(Normal(torch.zeros(2, dtype=torch.float64), 1.0), 1)
        return TransformedDistribution(
            base, [BijectorTransform(Counted([0.0, 1.0], [1.0, 2.0]), cache_size=cache_size).inv]
        )

    for cache_size, expected in ((0, ["forward", "forward"]), (1, ["forward"])):
        calls.clear()
        density(cache_size).log_prob(torch.zeros(3, 2, dtype=torch.float64))
        assert calls == expected
    calls.clear()
    cached = density(1)
    cached.log_prob(cached.rsample((3,)))
    assert calls == ["inverse"]


def test_gradients_reach_the_parameters_after_a_sample() -> None:
    bijector = Scale([0.0, 1.0], [1.0, 2.0])
    base = Independent(Normal(torch.zeros(2, dtype=torch.float64), 1.0), 1)
    gradients = []
    for cache_size in (0, 1):
        density = TransformedDistribution(base, [BijectorTransform(bijector, cache_size=cache_size).inv])
        torch.manual_seed(0)
        loss = -density.log_prob(density.sample((50,))).mean()
        gradients.append(torch.autograd.grad(loss, list(bijector.parameters())))
    for uncached, cached in zip(*gradients, strict=True):
        assert uncached.abs().max() > 0.01
        close(cached, uncached)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_results_without_gradients_are_not_used_where_gradients_are_wanted(mode: Callable[[], Any]) -> None:
    transform = BijectorTransform(couplings(3), cache_size=1)
    x = torch.randn(4, 3, dtype=torch.float64)
    with mode():
        y = transform(x)
        assert transform(x) is y
        assert transform.inv(y) is x
    assert not y.requires_grad
    assert not transform.log_abs_det_jacobian(x, y.clone()).isnan().any()
    assert transform.log_abs_det_jacobian(x, y).requires_grad
    assert transform(x).requires_grad
    with mode():
        assert not transform(x).requires_grad


def test_the_cache_is_of_one_pair_alone() -> None:
    transform = BijectorTransform(couplings(3), cache_size=1)
    x, other = torch.randn(2, 4, 3, dtype=torch.float64)
    y = transform(x)
    transform(other)
    close(transform.log_abs_det_jacobian(x, y), transform.bijector(x)[1])
    # After the parameters changed, what is kept belongs to the y that is kept, and to no other.
    y = transform(x)
    before = transform.log_abs_det_jacobian(x, y)
    with torch.no_grad():
        for parameter in transform.bijector.parameters():
            parameter.add_(0.1)
    z, log_det = transform.bijector(x)
    assert transform.log_abs_det_jacobian(x, y) is before
    close(transform.log_abs_det_jacobian(x, z), log_det)
    back = transform.inv(z)
    close(transform.log_abs_det_jacobian(back, z), log_det)
    close(transform.inv.log_abs_det_jacobian(z, back), -log_det)
    assert transform.with_cache(1) is transform
    assert transform.with_cache(0)._cache_size == 0
    assert transform.with_cache(0).bijector is transform.bijector


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("cache_size", [0, 1])
def test_copies_are_the_same(copied: Callable[[BijectorTransform], BijectorTransform], cache_size: int) -> None:
    transform = BijectorTransform(couplings(3), cache_size=cache_size)
    x = torch.randn(4, 3, dtype=torch.float64)
    y = transform(x)
    other = copied(transform)
    close(other(x), y)
    close(other.log_abs_det_jacobian(x, y), transform.log_abs_det_jacobian(x, y))
    assert next(iter(other.bijector.parameters())) is not next(iter(transform.bijector.parameters()))


def test_a_tuple_of_latents_is_no_tensor() -> None:
    transform = BijectorTransform(MultiScale([Squeeze()]))
    with pytest.raises(TypeError, match=r"MultiScale gives a tuple of latents .* FlowDistribution"):
        transform(torch.randn(2, 1, 4, 4))


@pytest.mark.parametrize("cache_size", [0, 1])
def test_gradients_through_the_view_are_those_of_the_map(cache_size: int) -> None:
    bijector = couplings(3)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def density(x: Tensor, *_: Tensor) -> Tensor:
        base = Independent(Normal(torch.zeros(3, dtype=torch.float64), 1.0), 1)
        return TransformedDistribution(base, [BijectorTransform(bijector, cache_size=cache_size).inv]).log_prob(x)

    assert torch.autograd.gradcheck(density, (x, *bijector.parameters()))


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"takes a flowkit\.Bijector, got Linear"):
        BijectorTransform(nn.Linear(2, 2))  # type: ignore[arg-type]
