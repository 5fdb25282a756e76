"""Images worked through by the machines of a Ray cluster, as a pipeline of Ray Data."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flowkit_deflow.app.apply import Outcome, unfinished
from flowkit_deflow.app.jobs import Job
from flowkit_deflow.app.origin import SourceFile
from flowkit_deflow.app.rendering import Work
from flowkit_deflow.app.store import Store, render
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import ImageError
from flowkit_deflow.images.noise import SeededNoise

__all__ = ["LOCAL", "Cluster", "apply_by_ray", "require_ray"]

LOCAL = "local"
# What is done and not yet recorded when a cluster is lost is made again: few images to a block.
MOST_BLOCKS = 1000


@dataclass(frozen=True)
class Cluster:
    """Machines that work together.

    Attributes:
        address: where they are reached; ``local`` for new processes on this machine.
        gpu: whether each process has a GPU of its own.
    """

    address: str
    gpu: bool = False


def require_ray() -> None:
    """Check that the library is installed.

    Raises:
        UserError: it is not.
    """
    try:
        import ray.data  # noqa: F401
    except ImportError:
        raise UserError("--ray needs Ray Data: pip install 'flowkit-deflow[ray]'") from None


def apply_by_ray(
    jobs: Sequence[Job],
    work: Work,
    store: Store,
    cluster: Cluster,
    *,
    seed: int = 0,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> Outcome:
    """As :func:`flowkit_deflow.app.apply.apply_to_images`, by processes of a Ray cluster.

    Images, model and results lie in folders that all of its machines have under the same names. The record is written
    here, as images come back, so that a pipeline which was stopped goes on like any other command.

    Args:
        jobs: what to do.
        work: can be pickled.
        store: how to read and write.
        cluster: the machines; as many processes work as they have cores, or GPUs.
        seed: the random numbers of an image depend on this and on its key alone.
        overwrite: work on all images, whatever is there.
        strict: stop at the first unreadable image, instead of going on without it.
        progress: called after each image.

    Returns:
        What was done.

    Raises:
        UserError: as there; or the cluster cannot be reached.
    """
    import ray.data

    todo = unfinished(jobs, store, overwrite)
    outcome = Outcome(skipped=len(jobs) - len(todo))
    for _ in range(outcome.skipped):
        progress()
    if not todo:
        return outcome
    with _connected(cluster.address) as resources:
        most = max(int(resources.get("GPU" if cluster.gpu else "CPU", 1)), 1)
        manifest = store.manifest
        manifest.start(store.origin, store.notes)
        for job in todo:
            manifest.begin(job, store.origin)
        # What is known of other results is of no use to the processes.
        sent = replace(store, manifest=replace(manifest, origins={}, made={}))
        # The command has a bar of its own.
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [_row(number, job) for number, job in enumerate(todo)]
        made = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS)).map(
            _Process,
            fn_constructor_args=(work, sent, seed),
            concurrency=min(most, len(todo)),
            num_cpus=1,
            num_gpus=1 if cluster.gpu else None,
        )
        for row in made.iter_rows():
            if row["fault"]:
                raise UserError(row["fault"])
            if row["problem"]:
                if strict:
                    raise ImageError(row["problem"])
                outcome.problems.append(row["problem"])
            else:
                manifest.finish(todo[row["number"]], store.origin, SourceFile(**row["source"]), row["notes"])
                outcome.written += 1
            progress()
    return outcome


class _Process:
    """A process of the cluster, which works on one image after the other."""

    def __init__(self, work: Work, store: Store, seed: int) -> None:
        self.work, self.store, self.seed = work, store, seed

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What became of a job; mistakes are handed over, where Ray would bury them in a traceback."""
        job = Job(Path(row["source"]), row["key"], tuple(map(Path, row["targets"])), int(row["page"]))
        result: dict[str, Any] = {"number": row["number"], "problem": "", "fault": "", "source": {}, "notes": {}}
        try:
            picture, source = self.store.read(job)
            results, notes = render(job, picture, self.work, SeededNoise(self.seed, job.key), self.store)
            for each in results:
                self.store.write(each, picture)
        except ImageError as error:
            return result | {"problem": str(error)}
        except UserError as error:
            return result | {"fault": str(error)}
        return result | {"source": asdict(source), "notes": dict(notes)}


def _row(number: int, job: Job) -> dict[str, Any]:
    return {
        "number": number,
        "source": str(job.source.resolve()),
        "key": job.key,
        "targets": [str(target.resolve()) for target in job.targets],
        "page": job.page,
    }


@contextmanager
def _connected(address: str) -> Iterator[Mapping[str, float]]:
    """A connection to a cluster, which is ended afterwards if it was made here; its resources."""
    import ray

    if ray.is_initialized():
        yield ray.cluster_resources()
        return
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level=logging.WARNING,
            include_dashboard=False if address == LOCAL else None,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"--ray {address}: no Ray cluster answers there ({error}); check the address") from None
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()
