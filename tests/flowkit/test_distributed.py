"""Processes that train one flow together start it alike."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from flowkit import ActNorm, Chain, LULinear, initialize

WORLD = 2


class Loss(nn.Module):
    """What a user wraps: a module whose forward runs the flow."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.flow = Chain([ActNorm(3, event_dims=1), LULinear(3), ActNorm(3, event_dims=1)])

    def forward(self, x: Tensor, context: Any = None) -> Tensor:
        z, log_det = self.flow(x, context)
        return 0.5 * z.square().sum(-1) - log_det


def batch_of(rank: int) -> Tensor:
    return 3 * rank + (1 + rank) * torch.randn(32, 3, generator=torch.Generator().manual_seed(rank))


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD)
    try:
        together = DistributedDataParallel(Loss())
        failures = []
        for bad in (torch.full((4, 3), torch.nan), torch.empty(0, 3)):
            try:
                initialize(together, bad if rank == 0 else batch_of(rank))
            except (ValueError, RuntimeError) as error:
                failures.append(str(error))
        initialize(together, batch_of(rank))
        state = {key: value.clone() for key, value in together.module.state_dict().items()}
        together(batch_of(rank)).mean().backward()

        # Rank 0 alone has started its copy: wrapping sends that to the others.
        alone = Loss()
        if rank == 0:
            initialize(alone, batch_of(0))
        wrapped = DistributedDataParallel(alone)
        loss = wrapped(batch_of(1)).detach()
        torch.save({"state": state, "failures": failures, "loss": loss}, Path(folder) / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(work, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


def test_every_process_starts_as_rank_0(results: list[dict[str, Any]]) -> None:
    alone = Loss()
    initialize(alone, batch_of(0))
    for result in results:
        assert all(torch.equal(result["state"][key], value) for key, value in alone.state_dict().items())


def test_a_start_before_wrapping_reaches_every_process(results: list[dict[str, Any]]) -> None:
    assert results[0]["loss"].isfinite().all()
    assert torch.equal(results[0]["loss"], results[1]["loss"])


def test_a_failure_on_rank_0_ends_all_processes(results: list[dict[str, Any]]) -> None:
    assert "NaN or infinite" in results[0]["failures"][0]
    assert "empty batch" in results[0]["failures"][1]
    assert all("rank 0 could not initialise" in failure for failure in results[1]["failures"])
    assert len(results[1]["failures"]) == 2
