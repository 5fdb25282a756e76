"""Checkpoints of the published DeFlow implementation, in and out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from flowkit import (
    ActNorm,
    Affine,
    Chain,
    ContextMap,
    ConvConditioner,
    FactorOut,
    LUConv1x1,
    MultiScale,
    Squeeze,
    ZeroConv2d,
)
from flowkit.transforms import SigmoidScale
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.latents import LatentModel
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.method.shifts.correlated import CorrelatedShift

__all__ = ["from_published", "published_shapes", "to_published"]

FLOW = "flowUpsamplerNet"

# DataParallel and DistributedDataParallel write it before every key.
PARALLEL = "module."

# Output channels of the layer that is built and never used: they follow from whether splits are enabled, whatever the
# levels are.
UNUSED_WITH_SPLITS = 96
UNUSED_WITHOUT_SPLITS = 384


@dataclass(frozen=True)
class _Entry:
    """One published key: its shape, how its values go into our tensor and come out of it, and what they have to be."""

    shape: tuple[int, ...]
    read: Callable[[Tensor], None]
    write: Callable[[], Tensor]
    check: Callable[[Tensor], None] = lambda value: None


def _tensor(target: Tensor, shape: tuple[int, ...] | None = None) -> _Entry:
    shape = tuple(target.shape) if shape is None else shape
    return _Entry(shape, lambda value: _assign(target, value), lambda: target.detach().reshape(shape).clone())


@torch.no_grad()
def _assign(target: Tensor, value: Tensor) -> None:
    target.copy_(value.reshape(target.shape))


def from_published(bijector: nn.Module, latents: LatentModel, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load a published state dict into a DeFlow network.

    Args:
        bijector: what ``flowkit_deflow.method.architecture.build_bijector`` built, with the published structure
            (conditional, ``correlated`` shifts).
        latents: the latent model that goes with it.
        state: key to tensor, as published; as ``torch.nn.DataParallel`` names them too.

    Returns:
        The two tensors ``flowUpsamplerNet.f.0.*`` that the published network carries and never uses, for
        :func:`to_published`.

    Raises:
        UserError: an unknown, missing or misshapen key, by name.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        whose program's key names these are.

    Examples:
        >>> from flowkit_deflow import Architecture, DeFlow
        >>> config = Architecture(levels=2, steps=1, hidden_channels=4, encoder_features=4, encoder_growth=2,
        ...                       encoder_blocks=1, stack_blocks=(0,))
        >>> one, other = DeFlow(config), DeFlow(config)
        >>> unused = from_published(other.bijector, other.latents, to_published(one.bijector, one.latents))
        >>> sorted(unused)
        ['flowUpsamplerNet.f.0.bias', 'flowUpsamplerNet.f.0.weight']
    """
    state = _without_wrapper(state)
    entries = _entries(bijector, latents)
    unused = _unused_shapes(bijector, state)
    shapes = {key: entry.shape for key, entry in entries.items()} | unused
    for key in state:
        if key not in shapes:
            raise UserError(
                f"published checkpoint: unknown key {key!r}; is it of this architecture? Try another preset"
            )
    for key, shape in shapes.items():
        if key not in state:
            raise UserError(f"published checkpoint: key {key!r} is missing; is it of this architecture?")
        if tuple(state[key].shape) != shape:
            raise UserError(
                f"published checkpoint: {key!r} has shape {tuple(state[key].shape)}, expected {shape}; "
                "is it of this architecture? Try another preset"
            )
    for key, entry in entries.items():
        entry.check(state[key])
    for key, entry in entries.items():
        entry.read(state[key])
    for module in bijector.modules():
        if isinstance(module, ActNorm):
            module.mark_initialized()
    return {key: state[key].clone() for key in unused}


def to_published(
    bijector: nn.Module, latents: LatentModel, unused: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """A DeFlow network's weights under the published key names.

    Args:
        bijector: as for :func:`from_published`.
        latents: the latent model that goes with it.
        unused: what :func:`from_published` returned; zeros if ``None``. The published network does not use them.

    Returns:
        Key to tensor, with every key and shape of the published checkpoints.

    Raises:
        UserError: the network has parts that the published one lacks.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        whose program's key names these are.

    Examples:
        >>> from flowkit_deflow import Architecture, DeFlow
        >>> model = DeFlow(Architecture(levels=2, steps=1, hidden_channels=4, encoder_features=4, encoder_growth=2,
        ...                             encoder_blocks=1, stack_blocks=(0,)))
        >>> list(to_published(model.bijector, model.latents))[0]
        'RRDB.conv_first.weight'
    """
    state = {key: entry.write() for key, entry in _entries(bijector, latents).items()}
    if unused is None:
        unused = {key: torch.zeros(shape) for key, shape in _unused_shapes(bijector).items()}
    return state | {key: value.clone() for key, value in unused.items()}


def published_shapes(bijector: nn.Module, latents: LatentModel) -> dict[str, tuple[int, ...]]:
    """Every key of the published checkpoint of this architecture, with its shape.

    Args:
        bijector: as for :func:`from_published`.
        latents: the latent model that goes with it.

    Returns:
        Key to shape, as many as the published checkpoint has.

    Raises:
        UserError: the network has parts that the published one lacks.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        whose program's key names these are.

    Examples:
        >>> from flowkit_deflow import Architecture, DeFlow
        >>> model = DeFlow(Architecture(levels=2, steps=1, hidden_channels=4, encoder_features=4, encoder_growth=2,
        ...                             encoder_blocks=1, stack_blocks=(0,)))
        >>> published_shapes(model.bijector, model.latents)["RRDB.conv_first.weight"]
        (4, 3, 3, 3)
    """
    shapes = {key: entry.shape for key, entry in _entries(bijector, latents).items()}
    return shapes | _unused_shapes(bijector)


def _without_wrapper(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if all(key.startswith(PARALLEL) for key in state):
        return {key.removeprefix(PARALLEL): value for key, value in state.items()}
    return state


def _unused_shapes(bijector: nn.Module, state: Mapping[str, Tensor] | None = None) -> dict[str, tuple[int, ...]]:
    """Shapes of the layer that is never used; ``state`` decides where the network allows for both."""
    encoder = _encoder(bijector)
    # 64 features whatever the encoder's width is.
    features = 64 * (1 + len(encoder.stack_blocks))
    outputs = UNUSED_WITH_SPLITS if _multiscale(bijector).factor_outs else UNUSED_WITHOUT_SPLITS
    weight, bias = f"{FLOW}.f.0.weight", f"{FLOW}.f.0.bias"
    # Splits may be enabled without a level that has one: after level l there is one for l < L - 1 only.
    if state is not None and bias in state and tuple(state[bias].shape) == (UNUSED_WITH_SPLITS,):
        outputs = UNUSED_WITH_SPLITS
    return {weight: (outputs, features, 3, 3), bias: (outputs,)}


def _encoder(bijector: nn.Module) -> RRDBEncoder:
    if not isinstance(bijector, ContextMap) or not isinstance(bijector.function, RRDBEncoder):
        raise UserError("this model has no conditioning, which the published format needs; save it as a folder instead")
    return bijector.function


def _multiscale(bijector: nn.Module) -> MultiScale:
    assert isinstance(bijector, ContextMap)
    assert isinstance(bijector.bijector, MultiScale)
    return bijector.bijector


def _entries(bijector: nn.Module, latents: LatentModel) -> dict[str, _Entry]:
    encoder, multiscale = _encoder(bijector), _multiscale(bijector)
    entries = {f"RRDB.{key}": _tensor(value) for key, value in encoder.state_dict(keep_vars=True).items()}
    for number, layer in enumerate(_layers(multiscale)):
        prefix = f"{FLOW}.layers.{number}"
        if isinstance(layer, FactorOut):
            cut = multiscale.factor_outs.index(layer)
            entries |= _zero_conv(f"{prefix}.conv", layer.conditioner)
            entries |= _shift(f"{prefix}.", latents.shifts[cut])
        elif not isinstance(layer, Squeeze):
            entries |= dict(_step(prefix, layer))
    return entries | _shift("", latents.shifts[-1])


def _layers(multiscale: MultiScale) -> Iterator[Any]:
    """The published network's layers in their order; a flow step is the list of its three or two parts."""
    for stage, cut in zip(multiscale.levels, [*multiscale.factor_outs, None], strict=True):
        assert isinstance(stage, Chain)
        for level in stage.parts:
            chain = level.bijector if isinstance(level, ContextMap) else level
            assert isinstance(chain, Chain)
            step: list[nn.Module] = []
            for part in chain.parts:
                if isinstance(part, (Squeeze, ActNorm)) and step:
                    yield step
                    step = []
                if isinstance(part, Squeeze):
                    yield part
                else:
                    step.append(part)
            yield step
        if cut is not None:
            yield cut


def _step(prefix: str, step: list[Any]) -> Iterator[tuple[str, _Entry]]:
    norm, conv, *conditional = step
    yield from _actnorm(f"{prefix}.actnorm", norm)
    yield from _lu_conv(f"{prefix}.invconv", conv)
    for inverse in conditional:
        injector, coupling = inverse.bijector.parts
        transforms = injector.transform, coupling.transform
        if not all(isinstance(t, Affine) and isinstance(t.scale, SigmoidScale) for t in transforms):
            raise UserError(
                "the published format knows affine couplings with the scale function 'sigmoid' only: its program would "
                "read other scales out of these weights; save this model as a folder instead"
            )
        yield from _conditioner(f"{prefix}.affine.fFeatures", injector.conditioner)
        yield from _conditioner(f"{prefix}.affine.fAffine", coupling.conditioner)


def _actnorm(prefix: str, norm: ActNorm) -> Iterator[tuple[str, _Entry]]:
    shape = (1, norm.channels, 1, 1)
    yield f"{prefix}.bias", _tensor(norm.bias, shape)
    yield f"{prefix}.logs", _tensor(norm.log_scale, shape)


def _lu_conv(prefix: str, conv: LUConv1x1) -> Iterator[tuple[str, _Entry]]:
    yield f"{prefix}.l", _tensor(conv.lower)
    yield f"{prefix}.u", _tensor(conv.upper)
    yield f"{prefix}.log_s", _tensor(conv.log_scale)
    yield f"{prefix}.sign_s", _tensor(conv.sign)
    yield (
        f"{prefix}.p",
        _Entry(
            (conv.channels, conv.channels),
            lambda matrix: _assign(conv.permutation, matrix.argmax(1)),
            lambda: torch.eye(conv.channels)[conv.permutation.cpu()],
            partial(_check_permutation, f"{prefix}.p"),
        ),
    )


def _check_permutation(key: str, matrix: Tensor) -> None:
    if not torch.equal(torch.eye(len(matrix), dtype=matrix.dtype)[matrix.argmax(1)], matrix):
        raise UserError(f"published checkpoint: {key!r} is no permutation matrix; the file is damaged, get it again")


def _conditioner(prefix: str, net: ConvConditioner) -> Iterator[tuple[str, _Entry]]:
    yield f"{prefix}.0.weight", _tensor(net.conv1.weight)
    yield from _actnorm(f"{prefix}.0.actnorm", net.norm1)
    yield f"{prefix}.2.weight", _tensor(net.conv2.weight)
    yield from _actnorm(f"{prefix}.2.actnorm", net.norm2)
    yield from _zero_conv(f"{prefix}.4", net.conv3).items()


def _zero_conv(prefix: str, module: nn.Module) -> dict[str, _Entry]:
    assert isinstance(module, ZeroConv2d)
    conv = module.conv
    assert conv.bias is not None
    return {
        f"{prefix}.weight": _tensor(conv.weight),
        f"{prefix}.bias": _tensor(conv.bias),
        f"{prefix}.logs": _tensor(module.log_scale, (conv.out_channels, 1, 1)),
    }


def _shift(prefix: str, shift: nn.Module) -> dict[str, _Entry]:
    if not isinstance(shift, CorrelatedShift):
        raise UserError(
            f"the published format holds correlated shifts only, and this model has a {type(shift).__name__}; save it "
            "as a folder instead"
        )
    identity = _Entry((shift.channels,) * 2, lambda value: None, lambda: torch.eye(shift.channels))
    return {
        f"{prefix}I": identity,
        f"{prefix}mean_shift": _tensor(shift.mean),
        f"{prefix}cov_shift": _tensor(shift.matrix),
    }
