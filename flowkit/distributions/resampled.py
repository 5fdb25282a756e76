"""Learned accept/reject sampling: a simple distribution, reshaped by an acceptance network."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution
from flowkit.distributions.uniform import uniform_like
from flowkit.ops.values import readable

__all__ = ["Normaliser", "Resampled"]

# Proposals scored at once when the normaliser is estimated.
CHUNK = 1024


class Normaliser(NamedTuple):
    r"""An estimate of a normaliser :math:`Z = \mathbb E_\pi[a(z)]` by the mean over ``S`` proposals.

    Attributes:
        value: the estimate of ``Z``, a scalar in (0, 1).
        standard_error: the standard deviation of that estimate, a scalar: that of ``a`` over the root of ``S``.

    Examples:
        >>> value, standard_error = Normaliser(torch.tensor(0.5), torch.tensor(0.01))
    """

    value: Tensor
    standard_error: Tensor


class Resampled(Distribution[Tensor]):
    r"""A base distribution whose proposals are accepted with a learned probability ``a(z)``, at most ``T`` of them.

    A sample is proposed by :math:`\pi` and accepted with probability ``a``; the ``T``-th proposal is always
    accepted. With :math:`Z = \mathbb E_\pi[a(z)]` and :math:`\alpha = (1 - Z)^{T - 1}`, the density of samples
    is

    .. math:: p(z) = \pi(z) \Bigl( (1 - \alpha) \frac{a(z)}{Z} + \alpha \Bigr).

    **The normaliser.** ``Z`` has no closed form: it is estimated by the mean of ``a`` over ``S`` proposals. That mean
    is unbiased, with variance :math:`\mathrm{Var}_\pi[a]/S \le Z(1 - Z)/S`; :math:`\log Z` is then off by about
    :math:`\sqrt{(1 - Z)/(ZS)}` at most, the same for every sample scored, and too small on average by half the square
    of that. In training mode ``log_prob`` draws ``samples`` new proposals at each call, from PyTorch's global source of
    randomness, and gradients flow through the estimate; a running mean of the estimates, the buffer ``normaliser``, is
    kept, as batch normalisation keeps its own. In evaluation mode that buffer is used as it is: ``log_prob`` is
    deterministic, and no state changes. For figures to be reported, call :meth:`estimate_normaliser` with many
    samples first.

    Samples are not reparametrised: whether a proposal is accepted cannot be differentiated.

    Args:
        base: the proposals' distribution :math:`\pi`; it must not depend on a label, nor may the acceptance.
        acceptance: a module from ``n x event`` to ``n`` or ``n x 1`` numbers; their sigmoid is ``a(z)``.
        truncation: ``T``, the most proposals per sample, >= 2 (1 would be ``base`` itself).
        samples: ``S``, how many proposals estimate ``Z`` at a call in training mode, >= 1.
        momentum: weight of the newest estimate in the running mean, in (0, 1].

    Raises:
        ValueError: ``truncation``, ``samples`` or ``momentum`` lies outside its range, or (when called) the temperature
            is not 1, or the acceptance does not give one number per sample.
        RuntimeError: (when called in evaluation mode) ``Z`` was never estimated.

    References:
        Bauer and Mnih, "Resampled priors for variational autoencoders", 2019, sec. 3, eqs. 6-9.
        Stimper, Schölkopf and Hernández-Lobato, "Resampling base distributions of normalizing flows", 2022, sec. 3.

    Examples:
        >>> from flowkit import StandardNormal
        >>> base = Resampled(StandardNormal(), nn.Linear(2, 1))
        >>> z, _ = base.estimate_normaliser((2,), samples=5000, generator=torch.Generator().manual_seed(0))
        >>> bool(0 < z < 1)
        True
        >>> base.eval().log_prob(torch.zeros(3, 2)).shape
        torch.Size([3])
    """

    normaliser: Tensor

    has_rsample = False

    def __init__(
        self,
        base: Distribution[Tensor],
        acceptance: nn.Module,
        truncation: int = 100,
        samples: int = 1024,
        momentum: float = 0.05,
    ) -> None:
        super().__init__()
        if truncation < 2:
            raise ValueError(f"truncation is {truncation}; at least 2 proposals are needed, 1 would be the base itself")
        if samples < 1:
            raise ValueError(f"samples is {samples}; the normaliser needs at least 1")
        if not 0 < momentum <= 1:
            raise ValueError(f"momentum is {momentum}; it must lie in (0, 1]")
        require_distribution(base, "Resampled")
        self.base = base
        self.acceptance = acceptance
        self.truncation = truncation
        self.samples = samples
        self.momentum = momentum
        # nan stands for: never estimated.
        self.register_buffer("normaliser", torch.tensor(torch.nan))

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x event``, one number per sample."""
        log_base = self.base.log_prob(z)
        batch, event = z.shape[: log_base.ndim], z.shape[log_base.ndim :]
        log_a = F.logsigmoid(self._logits(z.reshape(-1, *event))).reshape(batch)
        value = self._fresh_normaliser(tuple(event)) if self.training else self._held_normaliser()
        eps = torch.finfo(log_a.dtype).eps
        value = value.to(log_a.dtype).clamp(eps, 1 - eps)
        log_alpha = (self.truncation - 1) * torch.log1p(-value)
        log_accepted = torch.log(-torch.expm1(log_alpha)) + log_a - value.log()
        return log_base + torch.logaddexp(log_accepted, log_alpha.expand_as(log_accepted))

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``; of temperature 1 alone, for whose proposals the acceptance was learned."""
        if temperature != 1:
            raise ValueError(
                f"temperature is {temperature}; a Resampled distribution has samples of temperature 1 only"
            )
        drawn = self.base.sample(batch, shape, None, 1.0, generator)
        waiting = torch.ones(batch, dtype=torch.bool, device=drawn.device)
        for _ in range(self.truncation - 1):
            probability = self._logits(drawn).sigmoid()
            waiting = waiting & (uniform_like((batch,), probability, generator) >= probability)
            if not bool(waiting.any()):
                break
            proposal = self.base.sample(batch, shape, None, 1.0, generator)
            drawn = torch.where(waiting.view(-1, *(1,) * len(shape)), proposal, drawn)
        return drawn

    @torch.no_grad()
    def estimate_normaliser(
        self, shape: Shape, samples: int = 10000, generator: torch.Generator | None = None
    ) -> Normaliser:
        """Estimate ``Z`` anew and keep it in the buffer ``normaliser``.

        Args:
            shape: event shape of the latents.
            samples: how many proposals, >= 2; they are scored in parts.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            The estimate and its standard error.

        Raises:
            ValueError: ``samples`` is under 2.
        """
        if samples < 2:
            raise ValueError(f"samples is {samples}; an estimate with its error needs at least 2")
        sizes = [CHUNK] * (samples // CHUNK) + [samples % CHUNK] * (samples % CHUNK > 0)
        a = torch.cat([self._logits(self.base.sample(n, shape, generator=generator)).sigmoid() for n in sizes])
        self.normaliser.copy_(a.mean())
        return Normaliser(a.mean(), a.std() / samples**0.5)

    def _logits(self, z: Tensor) -> Tensor:
        # Latents may have another precision than the network.
        logits = self.acceptance(z.to(self.normaliser.dtype))
        if logits.shape not in ((len(z),), (len(z), 1)):
            raise ValueError(
                f"the acceptance gave a tensor of shape {tuple(logits.shape)} for {len(z)} samples; "
                "it must give one number for each"
            )
        return logits.reshape(-1).to(torch.promote_types(logits.dtype, torch.float32))

    def _fresh_normaliser(self, event: Shape) -> Tensor:
        value = self._logits(self.base._sample(self.samples, event, None, 1.0, None)).sigmoid().mean()
        with torch.no_grad():
            new = value.to(self.normaliser)
            running = torch.lerp(self.normaliser, new, self.momentum)
            self.normaliser.copy_(torch.where(self.normaliser.isnan(), new, running))
        return value

    def _held_normaliser(self) -> Tensor:
        if readable(self.normaliser) and bool(self.normaliser.isnan()):
            raise RuntimeError(
                "the normaliser of this Resampled distribution was never estimated: train it, or call "
                "estimate_normaliser(shape, samples)"
            )
        return self.normaliser
