"""Activation normalisation with a data-dependent start."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.distributed import run_on_rank_0
from flowkit.ops.precision import at_least_float32
from flowkit.ops.private import version
from flowkit.ops.values import readable
from flowkit.transforms import Affine

__all__ = ["ActNorm", "initialize"]


class ActNorm(ChannelBijector):
    r"""One shift and one scale per channel: :math:`z = (x + b)\, e^{s}`.

    The start depends on data: :func:`initialize` sets the parameters so that the first batch leaves with mean 0 and
    variance 1 in every channel. Until that has run, or a state dict was loaded, both directions refuse. The buffer
    ``initialized`` says whether it has. Where no value can be read (in compiled code, where ``torch.func`` maps over
    the buffer, on the meta device), a layer counts as initialised.

    Args:
        channels: size of the channel dimension, the first event dimension.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        RuntimeError: called before it was initialised.
        ValueError: the input has another number of channels.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018, sec. 3.1.

    Examples:
        >>> norm = ActNorm(3)
        >>> x = 5 + 2 * torch.randn(8, 3, 4, 4)
        >>> initialize(norm, x)
        >>> z, _ = norm(x)
        >>> bool(z.mean().abs() < 1e-5)
        True
    """

    takes_context = False

    initialized: Tensor

    def __init__(self, channels: int, event_dims: int = 3) -> None:
        super().__init__(channels, event_dims)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.transform = Affine()
        self.register_buffer("initialized", torch.tensor(False))
        # The buffer when it was last found to be true, and its version then: to read it at each call would make each
        # call wait for the device.
        self._found_true: tuple[Tensor, int] | None = None
        self._collecting = False

    def mark_initialized(self) -> None:
        """Declare the present parameters a valid start (after setting them by hand)."""
        self.initialized.fill_(True)

    @property
    def is_initialized(self) -> bool:
        """Whether the parameters were set: from data, by hand, or by a state dict."""
        flag = self.initialized
        found = self._found_true
        if torch.compiler.is_compiling() or (found is not None and found[0] is flag and found[1] == version(flag)):
            return True
        if not readable(flag):
            return True
        if flag.is_inference():
            return bool(flag)
        self._found_true = (flag, version(flag)) if flag else None
        return self._found_true is not None

    @property
    def waits_for_start(self) -> bool:
        """Whether the next call sets the parameters, or is refused since they were never set."""
        return self._collecting or not self.is_initialized

    def constants(self) -> tuple[Tensor, Tensor]:
        """Shift and log-scale per channel, to be folded into a layer beside; RuntimeError before the start."""
        if not self.is_initialized:
            raise RuntimeError(
                f"ActNorm({self.channels}) is not initialised: call flowkit.initialize(bijector, batch, context) "
                "with a batch of data first, or load a state dict"
            )
        return self.bias, self.log_scale

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        if self._collecting:
            mean, std = self._moments(x)
            self._start(bias=-mean, log_scale=-std.log())
        z, log_dzdx = self.transform(x, self._parameters_like(x))
        return z, sum_event(log_dzdx, self.event_dims, like=x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        if self._collecting:
            # Run backwards, it is the result of the inverse that is to have mean 0 and variance 1.
            mean, std = self._moments(z)
            self._start(bias=mean / std, log_scale=std.log())
        x, log_dxdz = self.transform.inverse(z, self._parameters_like(z))
        return x, sum_event(log_dxdz, self.event_dims, like=z)

    def _parameters_like(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bias, log_scale = self.constants()
        shape = (self.channels,) + (1,) * (self.event_dims - 1)
        log_scale = at_least_float32(log_scale).view(shape)
        return bias.view(shape).to(log_scale), log_scale

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        per_channel = at_least_float32(x).movedim(x.ndim - self.event_dims, 0).reshape(self.channels, -1)
        mean, std = per_channel.mean(1), per_channel.std(1, correction=0)
        if readable(mean) and not (mean.isfinite().all() and std.isfinite().all()):
            raise ValueError(
                f"ActNorm({self.channels}) cannot start from data of mean {mean.tolist()} and standard deviation "
                f"{std.tolist()}: the layers before it or the context made values that are not finite; look there first"
            )
        # A channel that is constant in the first batch would get an infinite scale.
        return mean, std.clamp_min(1e-6)

    def _start(self, bias: Tensor, log_scale: Tensor) -> None:
        with torch.no_grad():
            self.bias.copy_(bias)
            self.log_scale.copy_(log_scale)
        self.mark_initialized()
        self._collecting = False


def initialize(bijector: nn.Module, x: Any, context: Any = None, label: Any = None) -> None:
    r"""Run a batch of data forwards through a bijector so that every new :class:`ActNorm` in it starts from data.

    With the mean :math:`m` and the standard deviation :math:`\sigma` of each channel over samples and positions, the
    layer starts as :math:`z = (x - m) / \sigma`. Layers that are initialised already keep their parameters.

    Of a ``DistributedDataParallel`` module every process calls this: the data of rank 0 is used, and its start is
    sent to all others.

    Args:
        bijector: the bijector, a flow of it, or any module that is called as ``module(x, context)``.
        x: a batch of data, ``batch x event`` as for ``forward``; use one that represents the data (of both domains,
            for DeFlow).
        context: its context.
        label: what the base of a flow is conditioned on; none for a bijector.

    Raises:
        ValueError: the batch is empty or holds NaN or infinite values, or a layer before an actnorm makes such values.
        RuntimeError: a layer was not reached by the data; or, on other ranks, rank 0 failed.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018, sec. 3.1.

    Examples:
        >>> from flowkit import Chain, LUConv1x1
        >>> flow = Chain([ActNorm(3), LUConv1x1(3)])
        >>> initialize(flow, torch.rand(4, 3, 8, 8))
    """
    waiting = {name: m for name, m in bijector.named_modules() if isinstance(m, ActNorm) and not m.is_initialized}

    def run(module: nn.Module) -> None:
        _require_usable(x)
        for norm in waiting.values():
            norm._collecting = True
        try:
            with torch.no_grad():
                module(x, context, *(() if label is None else (label,)))
        finally:
            for norm in waiting.values():
                norm._collecting = False

    run_on_rank_0(bijector, run, [m for m in bijector.modules() if isinstance(m, ActNorm)])
    missed = [name for name, norm in waiting.items() if not norm.is_initialized]
    if missed:
        raise RuntimeError(f"no data reached these ActNorm layers, which stay uninitialised: {', '.join(missed)}")


def _require_usable(x: Any) -> None:
    """Refuse an empty batch, and one with NaN or infinite values; look into tuples of tensors."""
    for part in _tensors(x):
        if not part.numel():
            raise ValueError(f"initialize got an empty batch of shape {tuple(part.shape)}; give it one of data")
        if readable(part) and not part.isfinite().all():
            wrong = int((~part.isfinite()).sum())
            raise ValueError(
                f"initialize got a batch with {wrong} of {part.numel()} values NaN or infinite; give it finite data"
            )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Sequence):
        for part in value:
            yield from _tensors(part)
