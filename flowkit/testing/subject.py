"""A bijector in one state of its parameters, with data to run it on."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import nn

from flowkit.bijector import REAL_LINE, Bijector
from flowkit.bijectors.actnorm import ActNorm, initialize
from flowkit.testing.case import Case
from flowkit.testing.values import draw_on, draw_within, tensors

__all__ = ["STATES", "Sample", "State", "Subject", "perturb"]

State = Literal["initial", "perturbed", "trained"]
STATES: tuple[State, ...] = ("initial", "perturbed", "trained")

INITIAL_SAMPLES = 16
TRAINING_STEPS = 3
ANOTHER_SEED = 1_000_003


@dataclass(frozen=True)
class Sample:
    """Inputs of a bijector.

    Args:
        x: data within its domain.
        z: latents within its codomain, drawn at random: not the code of ``x``.
        context: the context, or ``None``.
    """

    x: Any
    z: Any
    context: Any


@dataclass(frozen=True)
class Subject:
    """A case's bijector in one state of its parameters, in eval mode, with data; a function of the seed alone.

    Args:
        case: makes the bijector.
        seed: seed of parameters and data.
        state: state of the parameters: ``initial`` (after :func:`flowkit.initialize`), ``perturbed`` (each moved at
            random, away from zeros and unit scales that would hide mistakes) or ``trained`` (a few steps on the
            negative log-likelihood of data, the latents standard normal).
        dtype: floating-point type of parameters and data; they are drawn in float64 and rounded.

    Examples:
        >>> from flowkit import Squeeze
        >>> subject = Subject(Case(Squeeze, event=(3, 4, 4)), seed=0)
        >>> subject.sample((2,)).z.shape
        torch.Size([2, 12, 2, 2])
    """

    case: Case
    seed: int = 0
    state: State = "perturbed"
    dtype: torch.dtype = torch.float64

    @cached_property
    def bijector(self) -> Bijector[Any, Any]:
        """The bijector, which the checks share and must not change."""
        return self.again()

    @cached_property
    def in_float32(self) -> "Subject":
        """This subject with parameters and data rounded to float32."""
        return replace(self, dtype=torch.float32)

    @cached_property
    def sibling(self) -> "Subject":
        """The same case with other parameters."""
        return replace(self, seed=self.seed + ANOTHER_SEED, state="perturbed")

    @property
    def batches(self) -> tuple[tuple[int, ...], ...]:
        """The case's batch shapes that have as many dimensions as the bijector takes."""
        dims = self.bijector.batch_dims
        claimed = tuple(b for b in self.case.batches if dims is None or len(b) == dims)
        return claimed or ((1,) * (dims or 0), (2,) * (dims or 0))

    def again(self) -> Bijector[Any, Any]:
        """A new bijector equal to :attr:`bijector`, for a check that changes it."""
        # Construction draws random numbers, and so may training mode.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            # A given instance may be on any device.
            bijector = self.case.make().to("cpu", torch.float64)
            generator = torch.Generator().manual_seed(self.seed)
            if any(isinstance(module, ActNorm) for module in bijector.modules()):
                sample = self._draw(bijector, INITIAL_SAMPLES, torch.float64, generator)
                initialize(bijector, sample.x, sample.context)
            if self.state == "perturbed":
                perturb(bijector, self.case.deviation, generator)
            if self.state == "trained":
                self._train(bijector, generator)
        return bijector.eval().to(self.dtype)

    def fresh(self) -> Bijector[Any, Any]:
        """A new bijector with other parameters, not initialised, to load a state into."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + ANOTHER_SEED)
            bijector = self.case.make().to("cpu", self.dtype)
        # A case made of an instance copies it: the copy must differ too.
        perturb(bijector, self.case.deviation, torch.Generator().manual_seed(self.seed + ANOTHER_SEED))
        return bijector.eval()

    def batch(self, samples: int) -> tuple[int, ...]:
        """A batch shape of the case with this many samples; ``()`` if the case has no batch dimensions."""
        return _batch(self.case, self.bijector, samples)

    def sample(self, batch: tuple[int, ...] | None = None, salt: int = 0) -> Sample:
        """Data, latents and context: the same numbers for the same arguments, in new tensors at each call.

        Args:
            batch: the batch shape; ``None`` for three samples.
            salt: selects the data.

        Returns:
            The sample.
        """
        batch = self.batch(3) if batch is None else batch
        seed = hash((self.seed, salt, *batch)) % 2**31
        return _draw(self.case, self.bijector, batch, self.dtype, torch.Generator().manual_seed(seed))

    def __str__(self) -> str:
        """The seed, the state and the event shape, for messages."""
        return f"(seed {self.seed}, {self.state} parameters, event shape {self.case.event})"

    def _draw(
        self, bijector: Bijector[Any, Any], samples: int, dtype: torch.dtype, generator: torch.Generator
    ) -> Sample:
        return _draw(self.case, bijector, _batch(self.case, bijector, samples), dtype, generator)

    def _train(self, bijector: Bijector[Any, Any], generator: torch.Generator) -> None:
        parameters = [parameter for parameter in bijector.parameters() if parameter.requires_grad]
        if not parameters:
            return
        bijector.train()
        optimizer = torch.optim.Adam(parameters, lr=1e-2)
        for _ in range(TRAINING_STEPS):
            sample = self._draw(bijector, INITIAL_SAMPLES, torch.float64, generator)
            z, log_det = bijector(sample.x, sample.context)
            loss = torch.stack([0.5 * part.square().sum() for part in tensors(z)]).sum() - log_det.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        optimizer.zero_grad()


def perturb(module: nn.Module, deviation: float, generator: torch.Generator | None = None) -> None:
    """Add noise to every parameter: zeros and unit scales would hide mistakes.

    The noise of a weight shrinks with the number of inputs, so that every layer's output moves by about the same
    amount; otherwise the scales of deep flows would overflow.

    Args:
        module: any module; it is changed.
        deviation: standard deviation of the noise, relative to the number of inputs.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Examples:
        >>> linear = nn.Linear(4, 4)
        >>> before = linear.bias.detach().clone()
        >>> perturb(linear, 0.1)
        >>> bool((linear.bias == before).any())
        False
    """
    with torch.no_grad():
        for parameter in module.parameters():
            inputs = parameter[0].numel() if parameter.ndim else 1
            noise = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
            parameter.add_((deviation / inputs**0.5 * noise).to(parameter))


def _batch(case: Case, bijector: Bijector[Any, Any], samples: int) -> tuple[int, ...]:
    dims = bijector.batch_dims
    lengths = {len(batch) for batch in case.batches} if dims is None else {dims}
    length = min((n for n in lengths if n > 0), default=0)
    return (*(1,) * (length - 1), samples) if length else ()


def _draw(
    case: Case,
    bijector: Bijector[Any, Any],
    batch: tuple[int, ...],
    dtype: torch.dtype,
    generator: torch.Generator,
) -> Sample:
    latent = bijector.output_shape(case.event)
    return Sample(
        draw_on(bijector.data_support(), bijector.domain(dtype), case.event, batch, dtype, generator),
        draw_on(bijector.latent_support(), bijector.codomain(dtype), latent, batch, dtype, generator),
        None if case.context is None else draw_within(REAL_LINE, case.context, batch, dtype, generator),
    )
