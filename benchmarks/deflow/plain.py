"""DeFlow's network evaluated plainly, as the published program does: the reference that is to be beaten.

Maps are enlarged, concatenated with the data and convolved anew by every layer in every pass, the encoder's output head
runs although nothing uses it, each norm is a pass over the image. The weights are those of a ``DeFlow``; of its layers
only the small ones are called.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit import (
    ActNorm,
    Bijector,
    Chain,
    ContextMap,
    ConvConditioner,
    Coupling,
    Injector,
    Inverse,
    MultiScale,
    sum_event,
)
from flowkit.transforms import split_parameters
from flowkit_deflow import DeFlow, RRDBEncoder

__all__ = ["decode", "encode", "features"]

Latents = tuple[Tensor, ...]
SLOPE = RESIDUAL = 0.2


def encode(model: DeFlow, x: Tensor, h: Tensor) -> tuple[Latents, Tensor]:
    """Images in the shared colours to latents and log-determinant."""
    return _run(model.bijector, x, h, inverse=False)


def decode(model: DeFlow, z: Latents, h: Tensor) -> tuple[Tensor, Tensor]:
    """Latents to images and log-determinant."""
    return _run(model.bijector, z, h, inverse=True)


def features(encoder: RRDBEncoder, h: Tensor) -> list[Tensor]:
    """The maps of all levels, finest first."""
    x = _conv(encoder.conv_first, h)
    stacked = []
    for i, block in enumerate(encoder.RRDB_trunk):
        y = x
        for dense in block.children():
            y = _dense(dense, y)
        x = x + RESIDUAL * y
        if i in encoder.stack_blocks:
            stacked.append(x)
    x = x + _conv(encoder.trunk_conv, x)
    own, enlarged, resolution = {1: x}, x, 1
    while hasattr(encoder, name := f"upconv{resolution.bit_length()}"):
        resolution *= 2
        enlarged = F.leaky_relu(_conv(encoder.get_submodule(name), F.interpolate(enlarged, scale_factor=2)), SLOPE)
        own[resolution] = enlarged
    _conv(encoder.conv_last, F.leaky_relu(_conv(encoder.HRconv, enlarged), SLOPE))
    maps = []
    for resolution in encoder.resolutions:
        size = [round(side * resolution) for side in h.shape[-2:]]
        image = own[resolution] if resolution in own else F.interpolate(x, size=size, mode="bilinear")
        maps.append(torch.cat([image, *(F.interpolate(block, size=size) for block in stacked)], 1))
    return maps


def _dense(block: nn.Module, x: Tensor) -> Tensor:
    seen = x
    for i in range(1, 5):
        seen = torch.cat([seen, F.leaky_relu(_conv(block.get_submodule(f"conv{i}"), seen), SLOPE)], 1)
    return x + RESIDUAL * _conv(block.get_submodule("conv5"), seen)


def _conv(layer: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    return F.conv2d(x, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)


def _run(bijector: Bijector[Any, Any], x: Any, context: Any, inverse: bool) -> tuple[Any, Tensor]:
    match bijector:
        case ContextMap():
            encoder = bijector.function
            # The others pick a level's map.
            inner = features(encoder, context) if isinstance(encoder, RRDBEncoder) else encoder(context)
            return _run(bijector.bijector, x, inner, inverse)
        case Inverse():
            return _run(bijector.bijector, x, context, not inverse)
        case Chain():
            total = x.new_zeros(len(x))
            for part in reversed(bijector.parts) if inverse else bijector.parts:
                x, log_det = _run(part, x, context, inverse)
                total = total + log_det
            return x, total
        case MultiScale():
            return _multiscale(bijector, x, context, inverse)
        case Injector():
            return _transform(bijector, x, _network(bijector.conditioner, context), inverse)
        case Coupling():
            kept, changed = x.split([bijector.channels // 2, bijector.channels - bijector.channels // 2], 1)
            raw = _network(bijector.conditioner, torch.cat([kept, context], 1))
            changed, log_det = _transform(bijector, changed, raw, inverse)
            return torch.cat([kept, changed], 1), log_det
        case _:
            return bijector.inverse(x) if inverse else bijector(x)


def _multiscale(flow: MultiScale, x: Any, context: Any, inverse: bool) -> tuple[Any, Tensor]:
    pairs = list(zip(flow.levels, [*flow.factor_outs, None], strict=True))
    if inverse:
        *latents, x = x
        total = x.new_zeros(len(x))
        for i, (level, cut) in reversed(list(enumerate(pairs))):
            if cut is not None:
                x, log_det = cut.inverse((x, latents[i]))
                total = total + log_det
            x, log_det = _run(level, x, context, inverse)
            total = total + log_det
        return x, total
    latents, total = [], x.new_zeros(len(x))
    for level, cut in pairs:
        x, log_det = _run(level, x, context, inverse)
        total = total + log_det
        if cut is not None:
            (x, latent), log_det = cut(x)
            latents.append(latent)
            total = total + log_det
    return (*latents, x), total


def _transform(layer: Injector | Coupling, x: Tensor, raw: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
    transform = layer.transform
    parameters = transform.constrain(split_parameters(raw, transform.parameters_per_element, 3, x.shape[1]))
    y, log_derivative = (transform.inverse if inverse else transform)(x, parameters)
    return y, sum_event(log_derivative.expand_as(y), 3)


def _network(network: Any, x: Tensor) -> Tensor:
    assert isinstance(network, ConvConditioner)
    hidden = F.relu(_norm(network.norm1, _conv(network.conv1, x)))
    hidden = F.relu(_norm(network.norm2, _conv(network.conv2, hidden)))
    return _conv(network.conv3.conv, hidden) * (3 * network.conv3.log_scale).exp().view(-1, 1, 1)


def _norm(norm: ActNorm, x: Tensor) -> Tensor:
    return (x + norm.bias.view(-1, 1, 1)) * norm.log_scale.exp().view(-1, 1, 1)
