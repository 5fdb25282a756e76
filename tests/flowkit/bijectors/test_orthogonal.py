import torch

from flowkit.bijectors.householder import householder_product
from flowkit.bijectors.orthogonal import Orthogonal


def test_it_is_the_cayley_transform_times_the_start() -> None:
    torch.manual_seed(0)
    layer = Orthogonal(4).double()
    start = householder_product(layer.start)
    torch.testing.assert_close(layer.weight, start)
    with torch.no_grad():
        layer.lower.normal_()
    A = layer.lower.tril(-1) - layer.lower.tril(-1).mT
    identity = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(layer.weight, torch.linalg.inv(identity + A) @ (identity - A) @ start)


def test_it_does_not_drift_in_training() -> None:
    torch.manual_seed(0)
    layer = Orthogonal(4)
    target, x = torch.linalg.qr(torch.randn(4, 4))[0], torch.randn(16, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
    for _ in range(2000):
        optimizer.zero_grad()
        (layer(x)[0] - x @ target).square().mean().backward()
        optimizer.step()
    weight = layer.weight.detach()
    assert layer.lower.detach().abs().max() > 0.1
    # float32: a few roundings, as at the start.
    torch.testing.assert_close(weight @ weight.mT, torch.eye(4), rtol=0, atol=1e-6)
    torch.testing.assert_close(layer.inverse(layer(x)[0])[0], x, rtol=0, atol=5e-6)


def test_moved_to_float64_it_is_orthogonal_in_float64() -> None:
    weight = Orthogonal(8).double().weight
    torch.testing.assert_close(weight @ weight.mT, torch.eye(8, dtype=torch.float64), rtol=0, atol=1e-14)


def test_the_start_is_saved_but_not_trained() -> None:
    layer, other = Orthogonal(5), Orthogonal(5)
    assert {name for name, _ in layer.named_parameters()} == {"lower"}
    assert not torch.allclose(layer.weight, other.weight)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer.weight, other.weight)
