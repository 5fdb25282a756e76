import torch

from flowkit.models.registry import create_model
from tests.flowkit.models.settings import MODELS, ready


def test_it_is_maf_with_the_directions_exchanged_layer_by_layer() -> None:
    flow = ready("iaf")
    masked = create_model("maf", **MODELS["iaf"][1]).double().eval()
    masked.load_state_dict(flow.state_dict())
    latents, x = torch.randn(2, 4, 3, dtype=torch.float64)
    one, other = flow.bijector.bijectors[0], masked.bijector.bijectors[0]  # type: ignore[index, union-attr]
    torch.testing.assert_close(one.inverse(latents), other(latents))
    torch.testing.assert_close(one(x), other.inverse(x))
