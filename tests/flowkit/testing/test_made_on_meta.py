"""Every bijector of flowkit can be made on the meta device, and is filled by a state dict there."""

import copy

import pytest
import torch

from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.check import as_case
from flowkit.testing.subject import Subject
from flowkit.testing.values import equal


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("assign", [False, True], ids=["to_empty", "assign"])
def test_made_on_meta_and_filled(name: str, assign: bool) -> None:
    subject = Subject(as_case(CATALOGUE[name]))
    expected, sample = subject.bijector, subject.sample()
    with torch.device("meta"):
        made = subject.case.make().double()
    assert all(tensor.is_meta for tensor in (*made.parameters(), *made.buffers()))
    if not assign:
        made.to_empty(device="cpu")
    made.load_state_dict(copy.deepcopy(expected.state_dict()), assign=assign)
    with torch.no_grad():
        assert equal(tuple(made.eval()(sample.x, sample.context)), tuple(expected(sample.x, sample.context)))
