import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit_deflow.images.padded import PaddedImages
from flowkit_deflow.images.resize import Window, bicubic_downsample, pad_to_multiple

ALIGNMENT = 8


@settings(deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    factor=st.sampled_from([4, 8]),
    data=st.data(),
    as_bytes=st.booleans(),
)
def test_a_window_is_that_of_the_whole(
    height: int, width: int, factor: int, data: st.DataObject, as_bytes: bool
) -> None:
    images = torch.rand(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stored = (images * 255).round().to(torch.uint8) if as_bytes else images
    images = stored.double() / 255 if as_bytes else images
    whole, _ = pad_to_multiple(images, ALIGNMENT)
    padded = PaddedImages(stored, ALIGNMENT, torch.float64)
    assert padded.shape == whole.shape
    rows, columns = (side // ALIGNMENT for side in whole.shape[-2:])
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    size = data.draw(st.integers(1, rows - top)), data.draw(st.integers(1, columns - left))
    window = Window(*(ALIGNMENT * number for number in (top, left, *size)))
    part = (..., slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
    assert torch.equal(padded.window(window), whole[part])
    own = Window(*(number // factor for number in window))
    part = (..., slice(own.top, own.top + own.height), slice(own.left, own.left + own.width))
    # The same sums of the same numbers; how wide a row is decides which of them are fused.
    torch.testing.assert_close(
        padded.downsampled(window, factor), bicubic_downsample(whole, factor)[part], atol=1e-14, rtol=0
    )
