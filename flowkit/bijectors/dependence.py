"""Which features the parameters of each feature depend on."""

import copy
import inspect

import torch
from torch import Tensor, nn

from flowkit.nn.mlp import MLP
from flowkit.nn.residual_mlp import ResidualMLP

__all__ = ["require_autoregressive"]

# Far above float64's rounding, far below the effect of moved parameters.
VISIBLE = 1e-9


def require_autoregressive(conditioner: nn.Module, features: int, layer: str, context: Tensor | None = None) -> None:
    """Refuse a network for which the features have no order such that each one's parameters depend on those before it.

    A copy of the network, its parameters moved so that zeros hide nothing, is run once on ``features + 1`` inputs. A
    network that takes another number of arguments than is given here, or that unrolls itself as
    :class:`~flowkit.MADE` does, is not looked at.

    Args:
        conditioner: from ``batch x features`` to a multiple of as many.
        features: how many.
        layer: the layer that takes it, for the message.
        context: of one sample, ``1 x context``, for a network that takes one; ``None`` for one that takes none.

    Raises:
        ValueError: there is no such order.

    Examples:
        >>> require_autoregressive(nn.Linear(1, 2), 1, "It")
        Traceback (most recent call last):
        ...
        ValueError: It needs a network that is autoregressive; of Linear, the parameters of feature 0 depend on \
feature 0: take MADE(features, ...), or a Coupling
    """
    dependence = _dependence(conditioner, features, context)
    if dependence is None:
        return
    left = set(range(features))
    while left:
        free = {i for i in left if not any(dependence[i][j] for j in left)}
        if not free:
            first = min(left)
            on = next(j for j in sorted(left) if dependence[first][j])
            raise ValueError(
                f"{layer} needs a network that is autoregressive; of {type(conditioner).__name__}, the parameters of "
                f"feature {first} depend on feature {on}: take MADE(features, ...), or a Coupling"
            )
        left -= free


def _dependence(conditioner: nn.Module, features: int, context: Tensor | None) -> list[list[bool]] | None:
    """For each feature, whether its parameters depend on each; ``None`` where that is not to be found out."""
    tensors = [*conditioner.parameters(), *conditioner.buffers()]
    if hasattr(conditioner, "unroll") or any(tensor.is_meta for tensor in tensors):
        return None
    arguments = 1 if context is None else 2
    is_ours = isinstance(conditioner, MLP | ResidualMLP)
    if not is_ours and len(inspect.signature(conditioner.forward).parameters) != arguments:
        return None
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.no_grad():
        network = copy.deepcopy(conditioner).to("cpu", torch.float64).eval()
        generator = torch.Generator().manual_seed(0)
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator))
        start = torch.randn(features, dtype=torch.float64, generator=generator)
        given = torch.cat([start[None], start + torch.eye(features, dtype=torch.float64)])
        outputs = network(given) if context is None else network(given, context.to(given).expand(len(given), -1))
    if outputs.shape[0] != features + 1 or outputs.shape[-1] % features:
        return None
    moved = (outputs[1:] - outputs[:1]).abs() > VISIBLE
    return moved.unflatten(-1, (features, -1)).any(-1).T.tolist()
