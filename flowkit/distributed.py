"""Processes that train one model together begin with the same state."""

from collections.abc import Callable, Sequence

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["run_on_rank_0"]


def run_on_rank_0(module: nn.Module, function: Callable[[nn.Module], None], changed: Sequence[nn.Module]) -> None:
    """Call a function that changes some layers, so that all processes end with the same layers.

    Of a ``DistributedDataParallel`` module rank 0 calls the function with the module within and sends the layers to
    the others, which wait. Any other module is handed to the function as it is.

    Args:
        module: the model.
        function: called with it; it raises where it fails.
        changed: the layers that it changes; their parameters and buffers are sent.

    Raises:
        RuntimeError: the function raised on rank 0 (which itself raises that error).
    """
    if not isinstance(module, DistributedDataParallel):
        function(module)
        return
    group = module.process_group
    source = distributed.get_global_rank(group, 0)
    tensors = [t.detach() for layer in changed for t in (*layer.parameters(), *layer.buffers())]
    # A failure is told before anything is sent: the others would wait for it until they time out.
    succeeded = torch.zeros((), dtype=torch.uint8, device=tensors[0].device if tensors else "cpu")
    try:
        if distributed.get_rank(group) == 0:
            function(module.module)
            succeeded.fill_(1)
    finally:
        distributed.broadcast(succeeded, source, group)
    if not succeeded:
        raise RuntimeError("rank 0 could not initialise the model; its own error says why")
    for tensor in tensors:
        distributed.broadcast(tensor, source, group)
