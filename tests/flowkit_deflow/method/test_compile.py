"""What torch.compile makes of the model: one graph without breaks, for images of all sizes."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from flowkit_deflow import DeFlow, Domain, preset

SIZES = ((64, 96), (96, 160), (128, 96), (192, 192))


@pytest.fixture(scope="module")
def model() -> DeFlow:
    torch.manual_seed(0)
    model = DeFlow(preset("tiny").architecture)
    with torch.no_grad():
        model.initialize(torch.rand(2, 3, 64, 64), torch.tensor([Domain.CLEAN, Domain.DEGRADED]))
    return model


@pytest.fixture(autouse=True)
def _forget_graphs() -> Iterator[None]:
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


def one_graph_serves(function: Callable[[Tensor, Tensor], Tensor], factor: int) -> None:
    # Graphs are traced for good, and run as they are: what a compiler makes of them is not this package's.
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="eager")
    for height, width in SIZES:
        images, h = torch.rand(2, 3, height, width), torch.rand(2, 3, height // factor, width // factor)
        torch.testing.assert_close(compiled(images, h), function(images, h), rtol=1e-5, atol=1e-5)
    assert counters["stats"]["unique_graphs"] == 1


def test_the_objective_with_gradients(model: DeFlow) -> None:
    model.train()
    domain = torch.tensor([Domain.CLEAN, Domain.DEGRADED])

    def loss(images: Tensor, h: Tensor) -> Tensor:
        return -model.log_prob(images, domain, h).mean()

    assert model.config.h_factor is not None
    one_graph_serves(loss, model.config.h_factor)


def test_encoding_and_decoding(model: DeFlow) -> None:
    model.eval()

    def there_and_back(images: Tensor, h: Tensor) -> Tensor:
        bound = model.bijector.bind(h)
        z, _ = bound.forward(images)
        decoded, _ = bound.inverse(tuple(0.9 * level for level in z))
        return decoded

    assert model.config.h_factor is not None
    with torch.no_grad():
        one_graph_serves(there_and_back, model.config.h_factor)
