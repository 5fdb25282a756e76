"""Moderately large batches of several dimensions, with gradients and with contexts, in every model of vectors."""

import pytest
import torch
from torch import Tensor

import flowkit

MODELS = ["iaf", "maf", "nice", "nsf", "realnvp"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("context_features", [0, 128])
@pytest.mark.parametrize("shape", [(64, 8), (512,), (2, 3, 100)])
def test_values_and_gradients_are_those_of_one_batch_dimension(
    name: str, context_features: int, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    settings = {"context_features": context_features} if context_features else {}
    flow = flowkit.create_model(name, features=2, layers=2, **settings).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(*shape, 2, dtype=torch.float64)
    context = torch.randn(*shape, context_features, dtype=torch.float64) if context_features else None

    def results(x: Tensor, context: Tensor | None) -> list[Tensor]:
        log_prob = flow.log_prob(x, context)
        return [log_prob.flatten(), *torch.autograd.grad(log_prob.sum(), list(flow.parameters()), allow_unused=True)]

    flat = results(x.reshape(-1, 2), None if context is None else context.reshape(-1, context_features))
    for one, other in zip(results(x, context), flat, strict=True):
        if one is not None:
            torch.testing.assert_close(one, other)
