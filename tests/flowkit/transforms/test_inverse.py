import torch

from flowkit import Affine
from flowkit.transforms.inverse import InverseTransform
from flowkit.transforms.sigmoid import Sigmoid


def test_directions_and_intervals_are_exchanged() -> None:
    turned, affine = InverseTransform(Affine()), Affine()
    assert turned.parameters_per_element == 2
    raw = torch.randn(5, 2, dtype=torch.float64)
    x, parameters = torch.randn(5, dtype=torch.float64), affine.constrain(raw)
    assert all(torch.equal(a, b) for a, b in zip(turned.constrain(raw), parameters, strict=True))
    for got, expected in (
        (turned(x, parameters), affine.inverse(x, parameters)),
        (turned.inverse(x, parameters), affine(x, parameters)),
    ):
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    sigmoid = InverseTransform(Sigmoid())
    assert sigmoid.domain(torch.float32) == (0.0, 1.0)
    assert sigmoid.codomain(torch.float32) == (-torch.inf, torch.inf)


def test_twice_is_the_transform_itself() -> None:
    x, parameters = torch.randn(3), Affine().constrain(torch.randn(3, 2))
    assert torch.equal(InverseTransform(InverseTransform(Affine()))(x, parameters)[0], Affine()(x, parameters)[0])
