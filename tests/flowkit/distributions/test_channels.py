import pytest
import torch

from flowkit.distributions.channels import event_shape
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.low_rank_normal import LowRankNormal
from flowkit.distributions.student_t import StudentT


@pytest.mark.parametrize("make", [DiagonalNormal, StudentT, lambda *args: LowRankNormal(args[0], 1, *args[1:])])
def test_other_events_are_refused(make: type[DiagonalNormal]) -> None:
    # A single channel would broadcast against three means, silently.
    with pytest.raises(ValueError, match=r"\(3\) takes 3 channels first .* got the event shape \(1,\)"):
        make(3).log_prob(torch.zeros(2, 1))
    with pytest.raises(ValueError, match=r"got the event shape \(4, 2, 2\)"):
        make(3, 3).log_prob(torch.zeros(5, 4, 2, 2))
    with pytest.raises(ValueError, match=r"got the event shape \(4,\)"):
        make(3).sample(2, (4,))
    with pytest.raises(ValueError, match=r"1 event dimensions, got the event shape \(3, 2, 2\)"):
        make(3).sample(2, (3, 2, 2))
    with pytest.raises(ValueError, match=r"takes 3 event dimensions, got a tensor of shape \(3, 2\)"):
        make(3, 3).log_prob(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="channels is 0"):
        make(0)
    with pytest.raises(ValueError, match="event_dims is 0"):
        make(3, 0)


def test_event_shape_of_a_single_event() -> None:
    assert event_shape(torch.zeros(3), 1, torch.nn.Identity()) == (3,)
    assert event_shape(torch.tensor(0.0), 0, torch.nn.Identity()) == ()
