import pytest
import torch
import torch.nn.functional as F

from flowkit.nn import MixedResolution


def test_it_stands_for_the_concatenation() -> None:
    fine, coarse = torch.rand(2, 3, 4, 8), torch.rand(2, 5, 2, 4)
    maps = MixedResolution(fine, coarse)
    assert (maps.channels, maps.factor) == (8, 2)
    assert torch.equal(maps.dense(), torch.cat([fine, F.interpolate(coarse, scale_factor=2)], 1))


def test_any_number_of_batch_dimensions() -> None:
    fine, coarse = torch.rand(2, 3, 1, 4, 4), torch.rand(2, 3, 1, 2, 2)
    dense = MixedResolution(fine, coarse).dense()
    assert dense.shape == (2, 3, 2, 4, 4)
    assert torch.equal(dense[1, 2], MixedResolution(fine[1, 2], coarse[1, 2]).dense())


@pytest.mark.parametrize("size", [(4, 7), (4, 4), (8, 8), (3, 6)])
def test_sizes_that_do_not_fit_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"fine maps are 4 x 8 and coarse ones \d x \d"):
        _ = MixedResolution(torch.rand(1, 1, 4, 8), torch.rand(1, 1, *size)).factor
