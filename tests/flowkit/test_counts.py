from typing import Any

import pytest

from flowkit.counts import require_counts, require_widths


def test_valid_sizes_pass() -> None:
    require_counts(1, features=1, layers=20)
    require_counts(0, context_features=0)
    require_widths(())
    require_widths([1, 64])


@pytest.mark.parametrize("size", ["2", 2.0, None, True])
def test_other_types_are_refused(size: Any) -> None:
    with pytest.raises(TypeError, match=f"features is {size!r}; it must be an integer"):
        require_counts(1, features=size)


def test_other_widths_are_refused() -> None:
    with pytest.raises(TypeError, match="hidden is '64'; it must be a list or tuple"):
        require_widths("64")
    with pytest.raises(TypeError, match=r"hidden\[1\] is 2\.5"):
        require_widths((1, 2.5))
    with pytest.raises(ValueError, match=r"hidden\[0\] is 0; it must be at least 1"):
        require_widths([0])
