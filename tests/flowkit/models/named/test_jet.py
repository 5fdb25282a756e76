from typing import Any

import pytest
import torch

from flowkit import Coupling, MaskedCoupling
from flowkit.models.named.jet import jet
from flowkit.testing.subject import perturb

TINY = {"layers": 1, "width": 8, "heads": 2}


def test_every_few_couplings_one_keeps_patches() -> None:
    flow = jet((1, 4, 4), couplings=5, spatial=2, **TINY)
    couplings = [type(part) for part in flow.bijector.modules() if isinstance(part, Coupling | MaskedCoupling)]
    assert couplings == [Coupling, MaskedCoupling, Coupling, MaskedCoupling, Coupling]
    masks = [part.mask for part in flow.bijector.modules() if isinstance(part, MaskedCoupling)]
    assert (masks[0]((1, 2, 2)) != masks[1]((1, 2, 2))).all()
    assert not any(isinstance(p, MaskedCoupling) for p in jet((1, 4, 4), spatial=0, **TINY).modules())
    # A single patch has no others to keep.
    assert not any(isinstance(p, MaskedCoupling) for p in jet((1, 2, 2), spatial=1, **TINY).modules())


def test_classes_have_densities_and_samples() -> None:
    torch.manual_seed(0)
    flow = jet((1, 4, 4), couplings=2, classes=3, **TINY).double()
    perturb(flow, 0.3)
    x = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    by_class = flow.log_prob(x[:, None], torch.arange(3))
    assert by_class.shape == (5, 3)
    assert (by_class[:, 0] - by_class[:, 1]).abs().min() > 1e-9
    assert flow.sample((2,), context=torch.arange(3)).shape == (2, 3, 1, 4, 4)
    with pytest.raises(ValueError, match="the class 3; there are 3"):
        flow.log_prob(x, torch.tensor(3))


def test_the_context_is_seen_everywhere() -> None:
    torch.manual_seed(0)
    flow = jet((1, 4, 4), couplings=4, spatial=2, context_channels=1, **TINY).double()
    perturb(flow, 0.3)
    x, context = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda c: flow.bijector(x, c)[0].flatten())(context).reshape(16, 16)
    assert (jacobian != 0).float().mean() > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (3, 8)}, r"shape is \(3, 8\); it must be \(channels, height, width\)"),
        ({"patch": 3}, "height and width must be multiples of patch, 3"),
        ({"shape": (1, 8, 8), "patch": 1}, "has 1 number; couplings need at least 2"),
        ({"couplings": 0}, "couplings is 0"),
        ({"spatial": -1}, "spatial is -1"),
        ({"classes": 2, "context_channels": 1}, "either an image or a class"),
    ],
)
def test_invalid_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jet(**{"shape": (3, 8, 8), **settings})
