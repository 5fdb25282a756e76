import pytest
import torch

from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.coupling import Coupling
from flowkit.models.named.nsf import nsf
from tests.flowkit.models.settings import ready


@pytest.mark.parametrize(("autoregressive", "layer"), [(False, Coupling), (True, MaskedAutoregressive)])
def test_the_layers_are_as_chosen(autoregressive: bool, layer: type) -> None:
    flow = nsf(3, layers=2, autoregressive=autoregressive)
    assert sum(isinstance(module, layer) for module in flow.modules()) == 2


@pytest.mark.parametrize("name", ["nsf", "nsf_autoregressive"])
def test_far_outside_the_bound_only_the_matrices_act(name: str) -> None:
    flow = ready(name)
    x = 1e4 * torch.randn(5, 3, dtype=torch.float64)
    _, log_det = flow.bijector(x)
    matrices = sum(value.sum() for key, value in flow.named_parameters() if key.endswith("log_scale"))
    torch.testing.assert_close(log_det, torch.as_tensor(matrices).expand(5))


@pytest.mark.parametrize("autoregressive", [False, True])
def test_many_layers_stay_invertible_in_float32(autoregressive: bool) -> None:
    # Moved by 0.2, the raw outputs of networks of 64 units are spread over some +-7. zuko's splines, three layers deep,
    # then come back within 3e-6 (median); without a bound on the ratio of bins, those here came back within 1e-1.
    def median(max_ratio: float | None) -> float:
        errors = []
        for seed in range(3):
            torch.manual_seed(seed)
            bijector = nsf(2, layers=3, autoregressive=autoregressive, max_ratio=max_ratio).bijector
            with torch.no_grad():
                for parameter in bijector.parameters():
                    parameter.add_(0.2 * torch.randn_like(parameter))
                x = torch.randn(500, 2)
                z, _ = bijector(x)
                errors.append((bijector.inverse(z)[0] - x).abs().amax(-1))
        return torch.cat(errors).median().item()

    assert median(1000.0) < 5e-6
    assert median(None) > 1e-5


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="features is 1; it must be at least 2"):
        nsf(1)
    with pytest.raises(ValueError, match="features is 0; it must be at least 1"):
        nsf(0, autoregressive=True)
