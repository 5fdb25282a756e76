"""What is claimed of a flow under a feature of torch, as a function that fails where it does not hold."""

import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.export import Dim
from torch.func import functional_call, grad, vmap
from torch.nn.parallel import DistributedDataParallel

from tests.flowkit.models.torch_features.rows import Row

__all__ = ["data_parallel", "distributed_data_parallel", "double_backward", "exported", "per_sample", "threads"]

THREADS = 4


def exported(row: Row) -> None:
    """A program that ``torch.export`` makes of one batch gives the densities of another one, of another size."""
    given = row.inputs(3)
    batch = Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Not strict, the default since torch 2.7: Python runs, and what it does with tensors is recorded.
        program = torch.export.export(row.flow, given, dynamic_shapes=tuple({0: batch} for _ in given), strict=False)
    others = row.inputs(5)
    torch.testing.assert_close(program.module()(*others), row.flow(*others))


def per_sample(row: Row) -> None:
    """``vmap`` of ``grad`` of ``functional_call`` gives each sample's gradients, as a loop over them does."""
    flow, given = row.flow, row.inputs(3)
    parameters = {name: parameter.detach() for name, parameter in flow.named_parameters()}

    def log_prob(parameters: dict[str, Tensor], *one: Tensor) -> Tensor:
        return functional_call(flow, parameters, one)  # type: ignore[no-any-return]

    with warnings.catch_warnings():
        # An operation without a batching rule of its own is slower, not wrong.
        warnings.simplefilter("ignore")
        got = vmap(grad(log_prob), in_dims=(None, *[0] * len(given)))(parameters, *given)
    for i in range(3):
        expected = torch.autograd.grad(flow(*(part[i] for part in given)), list(flow.parameters()))
        torch.testing.assert_close([slopes[i] for slopes in got.values()], list(expected))


def double_backward(row: Row) -> None:
    """Second derivatives of the density, by data and parameters, are those of finite differences (gradgradcheck)."""
    flow, (x, *context) = row.flow, row.inputs(2)
    names, own = zip(*flow.named_parameters(), strict=True)
    together = torch.cat([parameter.detach().flatten() for parameter in own])

    def log_prob(x: Tensor, together: Tensor) -> Tensor:
        pieces = together.split([parameter.numel() for parameter in own])
        parameters = {name: piece.view_as(like) for name, piece, like in zip(names, pieces, own, strict=True)}
        return functional_call(flow, parameters, (x, *context))  # type: ignore[no-any-return]

    torch.autograd.gradgradcheck(log_prob, (x.requires_grad_(), together.requires_grad_()), fast_mode=True)


def distributed_data_parallel(row: Row) -> None:
    """``DistributedDataParallel`` (gloo, one process) gives the loss and the gradients of the flow alone."""
    with _process_group():
        _assert_trains_alike(row, DistributedDataParallel)


def data_parallel(row: Row) -> None:
    """``DataParallel``, which on a CPU calls the flow itself, gives the loss and the gradients of the flow alone."""
    _assert_trains_alike(row, nn.DataParallel)


def threads(row: Row) -> None:
    """Densities computed in several threads at once, of one flow, are bit for bit those computed one by one."""
    flow = row.flow
    batches = [row.inputs(3) for _ in range(2 * THREADS)]
    with torch.no_grad():
        expected = [flow(*batch) for batch in batches]

    def density(batch: tuple[Tensor, ...]) -> Tensor:
        # The mode is each thread's own.
        with torch.no_grad():
            return flow(*batch)  # type: ignore[no-any-return]

    with ThreadPoolExecutor(THREADS) as pool:
        got = list(pool.map(density, batches))
    assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))


def _assert_trains_alike(row: Row, wrap: type[nn.Module]) -> None:
    given, results = row.inputs(3), []
    for together in (False, True):
        flow = row.another()
        loss = -(wrap(flow) if together else flow)(*given).mean()
        loss.backward()
        results.append([loss.detach(), *(parameter.grad for parameter in flow.parameters())])
    torch.testing.assert_close(results[1], results[0])


@contextmanager
def _process_group() -> Iterator[None]:
    """A group of this process alone."""
    with tempfile.TemporaryDirectory() as folder:
        store = (Path(folder) / "rendezvous").as_uri()
        distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
        try:
            yield
        finally:
            distributed.destroy_process_group()
