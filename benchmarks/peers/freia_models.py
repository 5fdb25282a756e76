"""The models in FrEIA, which has affine couplings, and a graph for what leaves between levels.

========== =========================================================================================================
spline     none: it has no splines
affine     blocks of two couplings, one of each half; the log-scale is 1.27 atan(a), its default
maf        none: it has no autoregressive layers
glow       none: networks are the user's, and it has no actnorm for them
plain_glow its block of all in one: the log-scale is 2 tanh(a / 10), the 1x1 convolution a fixed rotation, the actnorm
           starts as the identity; latents that leave are standard normal
========== =========================================================================================================

Densities are the user's: a standard normal's log-density of the latents, to which its log-determinant is added.
"""

import math
from collections.abc import Callable, Iterable

import torch
from FrEIA.framework import GraphINN, InputNode, Node, OutputNode, SequenceINN
from FrEIA.modules import AllInOneBlock, GLOWCouplingBlock, IRevNetDownsampling, Split
from torch import Tensor, nn

from benchmarks.density.architectures import Coupling, Event, Glow
from benchmarks.peers.model import Model

__all__ = ["affine", "blocks", "plain_glow"]


def affine(event: Event, settings: Coupling) -> Model:
    return blocks(event, settings, GLOWCouplingBlock)


def blocks(event: Event, settings: Coupling, block: type[nn.Module]) -> Model:
    """Of two couplings each."""
    (features,) = event
    if settings.layers % 2:
        raise ValueError(f"FrEIA's blocks have two couplings each, so that {settings.layers} are no whole blocks")
    flow = SequenceINN(features)
    for _ in range(settings.layers // 2):
        flow.append(block, subnet_constructor=_mlp(settings.hidden))

    def log_prob(x: Tensor) -> Tensor:
        z, log_det = flow(x)
        return _log_normal([z]) + log_det

    def sample(number: int) -> Tensor:
        return flow(torch.randn(number, features, device=_device(flow)), rev=True, jac=False)[0]

    return Model(flow, log_prob, sample)


def plain_glow(event: Event, settings: Glow) -> Model:
    channels, height, width = event
    nodes = [InputNode(*event)]
    leaving: list[OutputNode] = []
    shapes: list[Event] = []
    current = nodes[0].out0
    for level in range(settings.levels):
        nodes.append(Node(current, IRevNetDownsampling, {}))
        channels, height, width = 4 * channels, height // 2, width // 2
        for _ in range(settings.steps):
            block = {"subnet_constructor": _convolutions(settings.hidden), "permute_soft": True}
            nodes.append(Node(nodes[-1].out0, AllInOneBlock, block))
        current = nodes[-1].out0
        if level < settings.levels - 1:
            split = Node(current, Split, {})
            nodes.append(split)
            leaving.append(OutputNode(split.out1))
            channels //= 2
            shapes.append((channels, height, width))
            current = split.out0
    leaving.append(OutputNode(current))
    shapes.append((channels, height, width))
    flow = GraphINN([*nodes, *leaving], verbose=False)

    def log_prob(x: Tensor) -> Tensor:
        latents, log_det = flow(x)
        return _log_normal(latents) + log_det

    def sample(number: int) -> Tensor:
        latents = [torch.randn(number, *shape, device=_device(flow)) for shape in shapes]
        return flow(latents, rev=True, jac=False)[0]

    return Model(flow, log_prob, sample)


def _mlp(hidden: tuple[int, int]) -> Callable[[int, int], nn.Module]:
    first, second = hidden
    return lambda inputs, outputs: nn.Sequential(
        nn.Linear(inputs, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, outputs)
    )


def _convolutions(hidden: int) -> Callable[[int, int], nn.Module]:
    return lambda inputs, outputs: nn.Sequential(
        nn.Conv2d(inputs, hidden, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(hidden, hidden, 1),
        nn.ReLU(),
        nn.Conv2d(hidden, outputs, 3, padding=1),
    )


def _device(flow: nn.Module) -> torch.device:
    return next(flow.parameters()).device


def _log_normal(latents: Iterable[Tensor]) -> Tensor:
    parts = [-0.5 * (z.square() + math.log(2 * math.pi)).flatten(1).sum(1) for z in latents]
    return torch.stack(parts).sum(0)
