import pytest
import torch

from flowkit.transforms.exp import Exp, Log
from flowkit.transforms.fixed import FixedTransform
from flowkit.transforms.leaky_relu import LeakyReLU
from flowkit.transforms.power import Power
from flowkit.transforms.sigmoid import Logit, Sigmoid
from flowkit.transforms.softplus import Softplus
from flowkit.transforms.tanh import Arctanh, Tanh
from flowkit.transforms.transform import Transform

ALL = [Exp(), Log(), LeakyReLU(), Power(-1.5), Sigmoid(), Logit(), Softplus(), Tanh(), Arctanh()]
ANY = pytest.mark.parametrize("transform", ALL, ids=lambda t: type(t).__name__)


@ANY
def test_they_have_no_parameters(transform: Transform) -> None:
    assert transform.parameters_per_element == 0
    assert transform.constrain(torch.zeros(3, 0)) == ()
    assert not transform.state_dict()


@ANY
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_they_are_worked_out_in_float32_at_least(transform: Transform, half: torch.dtype) -> None:
    x = torch.tensor([0.25, 0.5], dtype=half)
    for direction in (transform.forward, transform.inverse):
        for got, expected in zip(direction(x, ()), direction(x.float(), ()), strict=True):
            assert got.dtype == torch.float32
            assert torch.equal(got, expected)
        assert {part.dtype for part in direction(x.double(), ())} == {torch.float64}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "transform",
    [Exp(), Log(), Softplus(), Sigmoid(), Logit(), Arctanh(), *map(Power, (2.0, 0.5, -1.0, 3.0, -0.3, 100.0))],
    ids=lambda t: f"{type(t).__name__}{getattr(t, 'exponent', '')}",
)
def test_values_within_the_interval_give_finite_results(transform: Transform, dtype: torch.dtype) -> None:
    # The last numbers before the two ends, and what decades lie between them.
    directions = (transform.forward, transform.domain, "domain"), (transform.inverse, transform.codomain, "codomain")
    for direction, interval, name in directions:
        ends = torch.tensor(interval(dtype), dtype=dtype)
        inner = torch.nextafter(ends, ends.flip(0))[ends.isfinite()]
        decades = torch.logspace(-300, 300, 601, dtype=torch.float64).to(dtype)
        values = torch.cat([inner, decades, -decades])
        values = values[(values > ends[0]) & (values < ends[1])]
        result, log_derivative = direction(values, ())
        assert result.isfinite().all(), name
        assert log_derivative.isfinite().all(), name


class Negative(FixedTransform):
    def _forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return -x, torch.zeros_like(x)

    def _inverse(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return -y, torch.zeros_like(y)


def test_parameters_may_be_left_out() -> None:
    x = torch.rand(3)
    assert torch.equal(Negative()(x)[0], -x)
    assert torch.equal(Negative().inverse(x)[0], -x)
