import pytest
import torch

from flowkit.models.average_pool import AveragePool


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_squares_are_averaged_for_any_batch_shape(batch: tuple[int, ...]) -> None:
    image = torch.randn(*batch, 3, 4, 6)
    pooled = AveragePool(2)(image)
    assert pooled.shape == (*batch, 3, 2, 3)
    torch.testing.assert_close(pooled[..., 1, 2], image[..., 2:4, 4:6].mean((-2, -1)))


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="factor is 0"):
        AveragePool(0)
    # avg_pool2d itself would drop the last row.
    with pytest.raises(ValueError, match=r"divisible by 2, got an image of shape \(1, 3, 5, 4\)"):
        AveragePool(2)(torch.zeros(1, 3, 5, 4))
