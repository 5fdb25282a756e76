"""The models, of about as many parameters each."""

from collections.abc import Callable, Mapping

from torch import Tensor

from benchmarks.density.architectures import Density, Event
from flowkit import glow, initialize, jet, tarflow

__all__ = ["MODELS"]


def _glow(event: Event, images: Tensor) -> Density:
    # Its convolutions see all channels of the neighbours as well: for colours it has fewer hidden ones.
    hidden = 80 if event[0] == 1 else 48
    flow = glow(event, levels=3 if _is_large(event) else 2, steps=4, hidden=hidden)
    return Density(flow, flow.log_prob, start=lambda x: initialize(flow.bijector, x))


def _jet(event: Event, images: Tensor) -> Density:
    flow = jet(event, **_size(event), couplings=8, layers=1, standardize=images)
    return Density(flow, flow.log_prob)


def _tarflow(event: Event, images: Tensor) -> Density:
    flow = tarflow(event, **_size(event), blocks=4, layers=2, standardize=images)
    return Density(flow, flow.log_prob)


def _size(event: Event) -> dict[str, int]:
    return {"patch": 4, "width": 48} if _is_large(event) else {"patch": 2, "width": 32}


def _is_large(event: Event) -> bool:
    return event[-1] > 8


MODELS: Mapping[str, Callable[[Event, Tensor], Density]] = {"glow": _glow, "jet": _jet, "tarflow": _tarflow}
"""By name: from the event shape and some images, which those without actnorms are standardised by."""
