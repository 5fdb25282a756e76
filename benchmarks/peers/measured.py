"""What is measured of a model: a training step, densities, samples, and what a training step keeps."""

from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor

from benchmarks.peers.model import Model
from benchmarks.peers.work import Work

__all__ = ["PHASES", "density", "sampling", "saved_bytes", "training"]


def training(model: Model, work: Work) -> Callable[[], object]:
    """Steps of maximum likelihood, each on the same batch: one per call."""
    data = _on(model, work.data())
    model.start(data[0])
    model.module.train()
    optimizer = torch.optim.Adam(model.parameters, lr=1e-4, fused=True)

    def step() -> None:
        loss = -model.log_prob(*data).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def density(model: Model, work: Work) -> Callable[[], object]:
    """Log-densities of a batch: one batch per call."""
    data = _started(model, work)

    def score() -> Tensor:
        with torch.no_grad():
            return model.log_prob(*data)

    return score


def sampling(model: Model, work: Work) -> Callable[[], object]:
    """Batches of samples, of a conditional model all from one context: one batch per call."""
    _started(model, work)
    condition = _on(model, work.condition())

    def draw() -> Tensor:
        with torch.no_grad():
            return model.sample(work.batch, *condition)

    return draw


PHASES = {"training step": training, "log_prob": density, "sampling": sampling}
"""By the name that works know them by."""


def _started(model: Model, work: Work) -> tuple[Tensor, ...]:
    """The batch, after the model has seen it once and is in evaluation mode."""
    data = _on(model, work.data())
    model.start(data[0])
    # Some libraries start their actnorms by the first batch of training.
    model.module.train()
    with torch.no_grad():
        model.log_prob(*data)
    model.module.eval()
    return data


def _on(model: Model, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors on the model's device."""
    device = model.parameters[0].device
    return tuple(tensor.to(device) for tensor in tensors)


class _Saved:
    """A tensor that the backward pass needs, for as long as it is kept."""

    def __init__(self, tensor: Tensor) -> None:
        # Detached: an operation's own result would keep the operation that keeps it.
        self.tensor = tensor.detach()


def saved_bytes(model: Model, work: Work) -> int:
    """Memory that a training step's forward pass leaves for its backward pass, in bytes.

    Each stretch of memory counts once and whole, however many tensors look into it; what the model holds anyway, its
    parameters and buffers, does not count, and neither does the batch. It is the same for every run.
    """
    data = _on(model, work.data())
    model.start(data[0])
    model.module.train()
    with torch.no_grad():
        model.log_prob(*data)
    kept: WeakSet[_Saved] = WeakSet()

    def pack(tensor: Tensor) -> _Saved:
        saved = _Saved(tensor)
        kept.add(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        loss = -model.log_prob(*data).mean()
    held = [*data, *model.module.parameters(), *model.module.buffers()]
    outside = {tensor.untyped_storage().data_ptr() for tensor in held}
    storages = (saved.tensor.untyped_storage() for saved in kept)
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    loss.backward()
    return sum(size for place, size in sizes.items() if place not in outside)
