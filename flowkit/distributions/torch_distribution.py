"""Distributions of torch.distributions as base distributions."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import constraints

from flowkit.bijector import Shape, sum_event
from flowkit.distributions.channels import event_shape
from flowkit.distributions.distribution import Distribution
from flowkit.ops.precision import without_autocast

__all__ = ["TorchDistribution"]


class TorchDistribution(Distribution[Tensor]):
    r"""A base distribution out of ``torch.distributions``: :math:`\log p(z) = \sum_i \log p_i(z_i)` over its batch.

    Given as a class (or any function that makes one) and its tensors, which become buffers, or parameters where they
    are ``nn.Parameter``: so they move with ``.to()``, are stored, and train if wanted. (Nothing keeps a trained scale
    positive: make it inside the function, from an unbounded parameter.) A ready-made distribution is taken too, but
    stays on its device, in its dtype, and out of the state dict.

    The dimensions of the distribution's own batch count as event dimensions: its log-densities over them are summed.

    Args:
        distribution: a callable that makes the distribution from ``parameters``, or a distribution.
        event_dims: trailing dimensions of one event, at least those of the distribution (its batch and event).
        parameters: keyword arguments of the callable; tensors are registered, other values passed as they are
            (``validate_args=False`` spares a check, and a wait for the device, at every call; ``torch.func.vmap`` of
            torch 2.6 cannot take the check).

    Raises:
        ValueError: the distribution has more dimensions than ``event_dims``, or (when called) the latents do not fit
            it, or there is a temperature other than 1 and no finite mean.
        TypeError: what the callable makes is no distribution, or a distribution comes with parameters.

    References:
        Dillon et al., "TensorFlow Distributions", 2017, sec. 3.3 (batch and event shapes).

    Examples:
        >>> base = TorchDistribution(torch.distributions.Laplace, loc=torch.zeros(3), scale=torch.ones(3))
        >>> base.log_prob(torch.zeros(2, 3))
        tensor([-2.0794, -2.0794])
        >>> base.sample(5, (3,)).shape
        torch.Size([5, 3])
        >>> sorted(base.state_dict())
        ['loc', 'scale']
    """

    def __init__(
        self, distribution: Callable[..., td.Distribution] | td.Distribution, event_dims: int = 1, **parameters: Any
    ) -> None:
        super().__init__()
        self.event_dims = event_dims
        self._factory: Callable[..., td.Distribution]
        if isinstance(distribution, td.Distribution):
            if parameters:
                raise TypeError(
                    f"a ready-made {type(distribution).__name__} takes no parameters, got {', '.join(parameters)}: "
                    "pass its class"
                )
            self._factory = _Constant(distribution)
        else:
            self._factory = distribution
        self._tensors = [name for name, value in parameters.items() if isinstance(value, Tensor)]
        self._settings = {name: value for name, value in parameters.items() if not isinstance(value, Tensor)}
        for name in self._tensors:
            if isinstance(parameters[name], nn.Parameter):
                self.register_parameter(name, parameters[name])
            else:
                self.register_buffer(name, parameters[name])
        made = self._make()
        self.has_rsample = made.has_rsample
        dims = len(made.batch_shape) + len(made.event_shape)
        if dims > event_dims:
            raise ValueError(
                f"{made} has {dims} dimensions, more than event_dims, {event_dims}: its batch and event dimensions are "
                "those of one event"
            )

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x event``, one number per sample."""
        dtype = torch.promote_types(z.dtype, torch.float32)
        with without_autocast(z.device):
            made = self._make(dtype=dtype)
            self._check(made, event_shape(z, self.event_dims, self))
            log_prob = made.log_prob(z.to(dtype))
            independent = self.event_dims - len(made.event_shape)
            return sum_event(log_prob, independent) if independent else log_prob

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``, reparametrised where the distribution is.

        The distributions of torch know no generator: one that is given seeds PyTorch's global source for the time of
        the call, on its own device. The temperature scales the deviation from the distribution's mean; over 1, the
        samples of a bounded distribution may leave its support.
        """
        home = self._device()
        device = home if generator is None else generator.device
        with without_autocast(torch.device("cpu") if device is None else device):
            made = self._make(device=device)
            self._check(made, shape)
            # The event's leading dimensions that the distribution's own do not cover, or only broadcast to.
            independent = shape[: self.event_dims - len(made.event_shape)]
            if tuple(made.batch_shape) != tuple(independent):
                made = made.expand(torch.Size(independent))
            with _seeded(generator):
                drawn = made.rsample((batch,)) if made.has_rsample else made.sample((batch,))
            if temperature != 1:
                drawn = _mean(made) + temperature * (drawn - _mean(made))
        return drawn.to(home)

    def support(self, event_dims: int) -> constraints.Constraint:
        """The wrapped distribution's support, for all of its events within one event."""
        own = self._make().support
        if own is None:
            return super().support(event_dims)
        return constraints.independent(own, event_dims - own.event_dim)

    def _make(self, dtype: torch.dtype | None = None, device: torch.device | None = None) -> td.Distribution:
        tensors = {}
        for name in self._tensors:
            value = getattr(self, name)
            tensors[name] = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
        made = self._factory(**tensors, **self._settings)
        if not isinstance(made, td.Distribution):
            raise TypeError(f"{self._factory!r} made a {type(made).__name__}, not a torch.distributions.Distribution")
        return made

    def _device(self) -> torch.device | None:
        """The parameters' device; ``None`` if there are none and the distribution chooses."""
        return next((getattr(self, name).device for name in self._tensors), None)

    def _check(self, made: td.Distribution, event: Shape) -> None:
        split = self.event_dims - len(made.event_shape)
        if len(event) == self.event_dims and tuple(event[split:]) == tuple(made.event_shape):
            # Its batch must broadcast to the event, not the event to its batch.
            with contextlib.suppress(RuntimeError):
                torch.empty(()).expand(made.batch_shape).expand(event[:split])
                return
        raise ValueError(
            f"{made} of batch shape {tuple(made.batch_shape)} and event shape {tuple(made.event_shape)}, with "
            f"{self.event_dims} event dimensions, does not fit the event shape {tuple(event)}"
        )


class _Constant:
    """A function that gives the same distribution at every call."""

    def __init__(self, distribution: td.Distribution) -> None:
        self.distribution = distribution

    def __call__(self) -> td.Distribution:
        return self.distribution


def _mean(distribution: td.Distribution) -> Tensor:
    try:
        mean = distribution.mean
    except NotImplementedError:
        mean = torch.tensor(math.nan)
    if not bool(mean.isfinite().all()):
        raise ValueError(f"{distribution} has no finite mean for a temperature to count from: leave it at 1")
    return mean


@contextlib.contextmanager
def _seeded(generator: torch.Generator | None) -> Iterator[None]:
    """PyTorch's global source of randomness of the generator's device, seeded by it for the time of the block."""
    if generator is None:
        yield
        return
    device = generator.device
    seed = int(torch.randint(2**62, (), device=device, generator=generator))
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would seed the accelerators too.
            torch.default_generator.manual_seed(seed)
            yield
    else:
        module = torch.get_device_module(device)
        index = module.current_device() if device.index is None else device.index
        with torch.random.fork_rng(devices=[index], device_type=device.type), module.device(index):
            module.manual_seed(seed)
            yield
