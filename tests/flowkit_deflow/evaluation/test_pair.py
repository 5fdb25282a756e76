import math

import pytest
import torch
from torch import Tensor

from flowkit_deflow.evaluation.pair import Pair


@pytest.mark.parametrize(
    ("degraded", "reference", "message"),
    [
        (torch.zeros(3, 4, 4), torch.zeros(3, 4, 5), r"\(3, 4, 4\) and \(3, 4, 5\)"),
        (torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), r"3 x H x W"),
        (torch.zeros(3, 0, 4), torch.zeros(3, 0, 4), r"no pixels"),
        (torch.full((3, 4, 4), math.nan), torch.zeros(3, 4, 4), r"finite"),
    ],
)
def test_what_is_no_residual_is_refused(degraded: Tensor, reference: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pair(degraded, reference)
