"""Operations and memory by count: the same on every machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.deflow import plain
from benchmarks.deflow.networks import CROP, FACTOR, aim, images
from benchmarks.products import count
from flowkit import ContextMap
from flowkit_deflow import DeFlow, RRDBEncoder

__all__ = ["Cost", "Costs", "cost", "costs"]


@dataclass(frozen=True)
class Costs:
    """Of one image, in units of 1e9."""

    plain_encoder: float
    plain_encode: float
    """The encoder excepted."""
    plain_decode: float
    """The encoder excepted."""
    encoder: float
    bind: float
    """The encoder included."""
    encode: float
    decode: float
    plain_saved: float
    """Bytes that a training step keeps for its backward pass."""
    saved: float

    @property
    def plain_degrade(self) -> float:
        return 2 * self.plain_encoder + self.plain_encode + self.plain_decode

    @property
    def degrade(self) -> float:
        return self.bind + self.encode + self.decode


def costs() -> Costs:
    """All of them, of the full-size AIM network and a crop."""
    model = aim()
    assert isinstance(model.bijector, ContextMap)
    encoder = model.bijector.function
    assert isinstance(encoder, RRDBEncoder)
    x, h = images(1), torch.rand(1, 3, CROP // FACTOR, CROP // FACTOR)
    plain_encoder = cost(model, lambda: plain.features(encoder, h))
    plain_encode = cost(model, lambda: plain.encode(model, x, h))
    z = tuple(part.detach() for part in plain_encode.result[0])
    plain_decode = cost(model, lambda: plain.decode(model, z, h))
    bind = cost(model, lambda: model.bijector.bind(h))
    return Costs(
        plain_encoder=plain_encoder.flops,
        plain_encode=plain_encode.flops - plain_encoder.flops,
        plain_decode=plain_decode.flops - plain_encoder.flops,
        encoder=cost(model, lambda: encoder(h)).flops,
        bind=bind.flops,
        encode=cost(model, lambda: bind.result(x)).flops,
        decode=cost(model, lambda: bind.result.inverse(z)).flops,
        plain_saved=plain_encode.saved,
        saved=cost(model, lambda: model.bijector(x, h)).saved,
    )


@dataclass(frozen=True)
class Cost:
    """What a piece of work took."""

    result: Any
    flops: float
    """In units of 1e9; a multiplication and an addition are two."""
    saved: float
    """What autograd keeps besides the weights, in units of 1e9 bytes; each storage once."""


def cost(model: DeFlow, work: Callable[[], Any]) -> Cost:
    """Run some work of a model and count."""
    with _kept() as tensors:
        result, multiply_adds = count(work)
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    saved = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return Cost(result, 2 * multiply_adds / 1e9, sum(size for at, size in saved.items() if at not in weights) / 1e9)


@contextmanager
def _kept() -> Iterator[list[Tensor]]:
    tensors: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield tensors
