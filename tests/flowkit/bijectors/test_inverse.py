import torch

from flowkit import FactorOut, Inverse, LUConv1x1, MultiScale, Squeeze, ZeroConv2d


def test_the_directions_are_exchanged() -> None:
    torch.manual_seed(0)
    inner = LUConv1x1(3)
    turned = Inverse(inner)
    x = torch.rand(2, 3, 4, 5)
    for got, expected in ((turned(x), inner.inverse(x)), (turned.inverse(x), inner(x))):
        assert torch.equal(got[0], expected[0])
        assert torch.equal(got[1], expected[1])


def test_shapes_are_exchanged() -> None:
    turned = Inverse(Squeeze())
    assert turned.output_shape((12, 2, 3)) == (3, 4, 6)
    assert turned.input_shape((3, 4, 6)) == (12, 2, 3)


def test_a_multi_scale_flow_turned_round_takes_the_tuple() -> None:
    flow = MultiScale([Squeeze(), Squeeze()], [FactorOut(4, ZeroConv2d(2, 4))])
    x = torch.rand(2, 1, 4, 8)
    z, _ = flow(x)
    turned = Inverse(flow)
    torch.testing.assert_close(turned(z)[0], x)
    assert turned.output_shape(((2, 2, 4), (8, 1, 2))) == (1, 4, 8)
