import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.canvas import Canvas
from flowkit_deflow.images.image_files import to_levels
from flowkit_deflow.images.resize import Window

IMAGE = torch.rand(3, 30, 41, generator=torch.Generator().manual_seed(0))
WINDOWS = [Window(0, 0, 16, 20), Window(16, 20, 14, 21), Window(16, 0, 14, 20), Window(0, 20, 16, 21)]


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("in_a_file", [False, True])
def test_pieces_in_any_order_make_the_image(tmp_path: Path, bit_depth: int, in_a_file: bool) -> None:
    canvas = Canvas(30, 41, bit_depth, tmp_path / "new" if in_a_file else None)
    for window in WINDOWS:
        top, left, height, width = window
        canvas.put(window, IMAGE[:, top : top + height, left : left + width])
    expected = to_levels(IMAGE, bit_depth).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(canvas.pixels(), expected)
    canvas.close()
    # The file had no name.
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disk_that_takes_no_more_is_named(tmp_path: Path) -> None:
    canvas = Canvas(30, 41, 8, tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(UserError, match=f"cannot write to the folder '{tmp_path}'"):
            canvas.put(Window(0, 0, 30, 41), IMAGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
