import torch

from flowkit.bijectors.rotation import Rotation


def test_the_determinant_is_one() -> None:
    torch.manual_seed(0)
    for channels in (2, 3, 6):
        layer = Rotation(channels).double()
        torch.testing.assert_close(torch.linalg.det(layer.weight).item(), 1.0)


def test_two_channels_are_turned_by_the_angle() -> None:
    layer = Rotation(2).double()
    with torch.no_grad():
        layer.lower.copy_(torch.tensor([[9.0, 9.0], [torch.pi / 6, 9.0]]))
    # By 30 degrees, whatever stands on the diagonal and above it.
    expected = torch.tensor([[0.75**0.5, -0.5], [0.5, 0.75**0.5]], dtype=torch.float64)
    torch.testing.assert_close(layer.weight, expected)
    z, _ = layer(torch.tensor([1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(z, expected[:, 0])
