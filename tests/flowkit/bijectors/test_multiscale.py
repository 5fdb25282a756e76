import pytest
import torch

from flowkit import Chain, FactorOut, LUConv1x1, MultiScale, Squeeze, ZeroConv2d


def three_levels() -> MultiScale:
    torch.manual_seed(0)
    cuts = [FactorOut(12, ZeroConv2d(6, 12)), FactorOut(24, ZeroConv2d(12, 24))]
    for parameter in [p for cut in cuts for p in cut.parameters()]:
        torch.nn.init.normal_(parameter, std=0.1)
    return MultiScale([Chain([Squeeze(), LUConv1x1(c)]) for c in (12, 24, 48)], cuts).double()


@pytest.mark.parametrize("size", [(8, 8), (8, 24), (16, 8)])
def test_level_structure_comes_from_the_image(size: tuple[int, int]) -> None:
    h, w = size
    flow = three_levels()
    latents, log_det = flow(torch.rand(2, 3, h, w, dtype=torch.float64))
    shapes = ((6, h // 2, w // 2), (12, h // 4, w // 4), (48, h // 8, w // 8))
    assert tuple(tuple(z.shape[1:]) for z in latents) == shapes == flow.output_shape((3, h, w))
    assert flow.input_shape(shapes) == (3, h, w)
    assert sum(z[0].numel() for z in latents) == 3 * h * w
    assert log_det.shape == (2,)


def test_it_is_its_parts_one_after_another() -> None:
    flow = three_levels()
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    expected, total, current = [], torch.zeros(2, dtype=torch.float64), x
    for level, cut in zip(flow.levels, [*flow.factor_outs, None], strict=True):
        current, log_det = level(current)
        total = total + log_det
        if cut is not None:
            (current, latent), log_det = cut(current)
            total = total + log_det
            expected.append(latent)
    latents, log_det = flow(x)
    assert all(torch.equal(a, b) for a, b in zip(latents, [*expected, current], strict=True))
    torch.testing.assert_close(log_det, total)


def test_one_level_gives_a_tuple_of_one() -> None:
    flow = MultiScale([Squeeze()])
    x = torch.rand(2, 1, 2, 2)
    (z,), _ = flow(x)
    assert flow.output_shape((1, 2, 2)) == ((4, 1, 1),)
    assert torch.equal(flow.inverse((z,))[0], x)


@pytest.mark.parametrize(("levels", "cuts"), [(0, 0), (1, 1), (2, 0), (2, 2)])
def test_numbers_that_do_not_fit_are_refused(levels: int, cuts: int) -> None:
    with pytest.raises(ValueError, match=f"MultiScale got {levels} levels and {cuts} factor_outs"):
        MultiScale([Squeeze()] * levels, [FactorOut(4, ZeroConv2d(2, 4))] * cuts)
