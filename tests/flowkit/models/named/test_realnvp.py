import pytest
import torch

from flowkit.bijectors.chain import Chain
from flowkit.models.named.realnvp import realnvp


def test_couplings_keep_the_even_and_the_odd_features_in_turn() -> None:
    flow = realnvp(5, layers=3, hidden=(4,)).double()
    assert isinstance(flow.bijector, Chain)
    couplings = flow.bijector.parts[::2]
    x = torch.randn(5, dtype=torch.float64)
    kept = []
    for coupling in couplings:
        with torch.no_grad():
            for parameter in coupling.parameters():
                parameter.normal_()
        kept.append((coupling(x)[0] == x).tolist())
    even = [True, False, True, False, True]
    assert kept == [even, [not keep for keep in even], even]


@pytest.mark.parametrize("settings", [{"features": 1}, {"layers": 0}, {"context_features": -1}, {"hidden": (0,)}])
def test_sizes_that_are_too_small_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        realnvp(**{"features": 2, **settings})  # type: ignore[arg-type]
