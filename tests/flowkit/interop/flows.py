"""Small flows that several of these tests take, off their start, in float64."""

import torch
from torch import Tensor, nn

from flowkit import (
    Bijector,
    Chain,
    Coupling,
    FactorOut,
    Flow,
    Injector,
    MultiScale,
    Squeeze,
    StandardNormal,
    ZeroConv2d,
    sum_event,
)


class Scale(Bijector[Tensor, Tensor]):
    """z = (x - shift) / scale: a normal in closed form."""

    def __init__(self, shift: list[float], scale: list[float]) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift, dtype=torch.float64))
        self.log_scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64).log())

    def _forward(self, x: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return (x - self.shift) * (-self.log_scale).exp(), sum_event((-self.log_scale).expand_as(x), 1)

    def _inverse(self, z: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return z * self.log_scale.exp() + self.shift, sum_event(self.log_scale.expand_as(z), 1)


class Exponential(Bijector[Tensor, Tensor]):
    """z = log x: data are positive."""

    def domain(self, dtype: torch.dtype) -> tuple[float, float]:
        return 0.0, float("inf")

    def _forward(self, x: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return x.log(), sum_event(-x.log(), 1)

    def _inverse(self, z: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return z.exp(), sum_event(z, 1)


def off_start(module: nn.Module, seed: int = 0) -> None:
    """Make a module float64 and move every parameter a little."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))


def couplings(features: int = 3) -> Bijector[Tensor, Tensor]:
    """Two couplings of vectors, turned against each other."""
    kept = features // 2
    layers: list[Bijector[Tensor, Tensor]] = []
    for _ in range(2):
        layers.append(Coupling(features, nn.Linear(kept, 2 * (features - kept)), event_dims=1))
        layers.append(Reversed())
    chain = Chain(layers)
    off_start(chain)
    return chain


class Reversed(Bijector[Tensor, Tensor]):
    """The channels in reverse order."""

    def _forward(self, x: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return x.flip(-1), x.new_zeros(x.shape[:-1])

    def _inverse(self, z: Tensor, prepared: object) -> tuple[Tensor, Tensor]:
        return self._forward(z, prepared)


def conditional(features: int = 3, context: int = 2) -> Bijector[Tensor, Tensor]:
    """Depends on the context alone."""
    injector = Injector(features, nn.Linear(context, 2 * features), event_dims=1)
    off_start(injector)
    return injector


def image_flow() -> Flow:
    """Images 1 x 4 x 4 to two levels of latents."""
    bijector = MultiScale([Squeeze(), Squeeze()], [FactorOut(4, ZeroConv2d(2, 4))])
    flow = Flow(bijector, StandardNormal(event_dims=3), event_shape=(1, 4, 4))
    off_start(flow)
    return flow
