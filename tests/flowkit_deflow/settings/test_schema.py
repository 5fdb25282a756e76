from typing import Any

import pytest

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Architecture, Run, Training
from flowkit_deflow.settings.text import override


class TestAlignment:
    @pytest.mark.parametrize(
        ("levels", "factor", "expected"),
        [(3, 4, 8), (3, 8, 8), (2, 4, 4), (3, 16, 16), (2, 8, 8), (3, None, 8), (1, None, 2)],
    )
    def test_levels_and_h_both_divide(self, levels: int, factor: Any, expected: int) -> None:
        assert Architecture(levels=levels, factor=factor, split_after=()).alignment == expected


class TestPrecision:
    @pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
    def test_weights_in_half_precision_are_refused_where_settings_come_in(self, precision: str) -> None:
        with pytest.raises(UserError, match=f"precision is '{precision}'; weights in half precision lose") as error:
            override(Run(), [f"training.precision={precision}"])
        assert "expected 'bf16-mixed'" in str(error.value)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed", "16-mixed"])
    def test_the_others_are_left_to_lightning(self, precision: str) -> None:
        assert Training(precision=precision).precision == precision
