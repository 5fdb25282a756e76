"""Flows of bijectors, surjections and stochastic layers."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Shape
from flowkit.bijectors.chaining import interval_filled, own_domain
from flowkit.bijectors.context_dims import context_dims_of
from flowkit.conditions import (
    in_batch,
    joint_batch,
    label_rows,
    number_and_shape,
    refuse_arrays,
    require_one_each,
)
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution, require_no_others
from flowkit.recorded import Recorded
from flowkit.supports.interval import IntervalSupport
from flowkit.supports.support import Support
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = ["StochasticFlow"]

Layer = Bijector[Any, Any] | StochasticMap


class StochasticFlow(Recorded, nn.Module):
    r"""A density by layers of which some are no bijections: surjections, augmentation, Monte Carlo steps.

    .. math:: \log p(x) \ge \mathbb{E}\left[\log p_Z(z) + \sum_l V_l\right]

    ``V`` of a bijector is its log-determinant. Where every layer is exact (bijections and surjections whose latent is a
    function of the data), the bound is the likelihood.

    Args:
        layers: in the order in which data pass them: bijectors and :class:`~flowkit.surjections.StochasticMap`\ s.
        base: the distribution of the latents.
        event_shape: of the data.
        label_dims: dimensions of the base's label for one sample: 0 for a class, 1 for a vector; ``None`` for what the
            base says.

    Raises:
        TypeError: a layer is neither, or ``base`` is no distribution.
        ValueError: there is no layer, one does not take what the one before gives, or a layer or the base has values
            that what is before it never gives, so that the density would lack their share.

    References:
        Nielsen et al., "SurVAE flows", NeurIPS 2020, sec. 2.3; Wu, Köhler and Noé, "Stochastic normalizing flows",
        NeurIPS 2020, sec. 3.

    Examples:
        >>> from flowkit import StandardNormal, realnvp
        >>> from flowkit.surjections import Augment
        >>> normal = StandardNormal(event_dims=1)
        >>> flow = StochasticFlow([Augment(1, 1, normal), realnvp(2, layers=2).bijector], normal, (1,))
        >>> flow.log_prob(torch.rand(5, 1), draws=10).shape, flow.sample(7).shape
        (torch.Size([5]), torch.Size([7, 1]))
    """

    def __init__(
        self, layers: Iterable[Layer], base: Distribution[Any], event_shape: Shape, label_dims: int | None = None
    ) -> None:
        super().__init__()
        parts = list(layers)
        if not parts:
            raise ValueError("a StochasticFlow needs at least one layer")
        for part in parts:
            if not isinstance(part, Bijector | StochasticMap):
                raise TypeError(f"a StochasticFlow takes bijectors and stochastic maps, got a {type(part).__name__}")
        require_distribution(base, "StochasticFlow")
        self.layers = nn.ModuleList(parts)
        self.base = base
        self.event_shape = tuple(event_shape)
        self.label_dims: int = getattr(base, "label_dims", 0) if label_dims is None else label_dims
        shape: Shape = self.event_shape
        for part in parts:
            shape = part.output_shape(shape)
        self._latent_shape = shape
        self._context_dims = context_dims_of(self.layers)
        require_no_others(base, _latent_support(parts), shape, type(parts[-1]).__name__)

    @property
    def is_exact(self) -> bool:
        """Whether log-densities are exact, without any draw."""
        return all(getattr(layer, "is_exact", True) for layer in self.layers)

    def forward(self, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
        """As :meth:`log_prob` with one draw: what calls a module calls this, :func:`flowkit.fit` among them."""
        return self.log_prob(x, context, label=label)

    def log_prob(
        self,
        x: Tensor,
        context: Any = None,
        draws: int = 1,
        generator: torch.Generator | None = None,
        label: Any = None,
    ) -> Tensor:
        r"""Log-density, or the logarithm of an unbiased estimate of the density: in the mean a lower bound.

        .. math:: \log \frac1n \sum_{i=1}^n p_Z(z_i)\, e^{\sum_l V_l(x, z_i)}

        Args:
            x: data, ``batch x event``.
            context: what the layers are conditioned on; each is given it.
            draws: ``n``, at least 1; the bound rises to the log-density with their number. Ignored where it is exact.
            generator: source of randomness; ``None`` for PyTorch's global one.
            label: what the base is conditioned on.

        Returns:
            One number per sample.

        Raises:
            TypeError: the data, the context or the label is an array of NumPy's.
            ValueError: ``draws`` is under 1.
        """
        refuse_arrays(data=x, context=context, label=label)
        if draws < 1:
            raise ValueError(f"draws is {draws}; an estimate needs at least 1")
        if self.is_exact:
            return self._one_draw(x, context, generator, label)
        drawn = torch.stack([self._one_draw(x, context, generator, label) for _ in range(draws)])
        return drawn.logsumexp(0) - math.log(draws)

    def sample(
        self,
        batch: int | tuple[int, ...] = 1,
        context: Any = None,
        generator: torch.Generator | None = None,
        label: Any = None,
    ) -> Tensor:
        """Draw data without gradients; arguments and shapes are those of :meth:`sample_and_log_path`."""
        with torch.no_grad():
            return self.sample_and_log_path(batch, context, generator, label)[0]

    def sample_and_log_path(
        self,
        batch: int | tuple[int, ...] = 1,
        context: Any = None,
        generator: torch.Generator | None = None,
        label: Any = None,
    ) -> tuple[Tensor, Tensor]:
        r"""Draw data, and say what to weigh them by: :math:`\log p_Z(z) + \sum_l V_l` along the path of each.

        For a target with the density :math:`\pi`, :math:`\pi(x)` divided by the exponential of this is an importance
        weight whose expectation is :math:`\pi`'s normalising constant; the mean of the difference of the two logarithms
        is what training by the reverse Kullback-Leibler divergence raises. Where all layers are bijectors, it is the
        log-density.

        Args:
            batch: how many, >= 0; or a shape of samples for each row of the context and the label, as of
                :meth:`flowkit.Flow.sample`.
            context: what the layers are conditioned on.
            generator: source of randomness; ``None`` for PyTorch's global one.
            label: what the base is conditioned on, one for each sample or one for all.

        Returns:
            ``batch x event`` and one number for each, with gradients where the base and the layers have them; for a
            shape of samples, ``batch x rows x event``.

        Raises:
            TypeError: ``batch`` is neither a number nor a tuple of them.
            ValueError: ``batch`` is negative, the rows of context and label do not fit, or a shape of samples is asked
                for where the layers do not say how many dimensions their context has.
        """
        joint = self._joint_batch(batch, context, label)
        draw = self.base.rsample if self.base.is_reparametrised else self.base.sample
        rows = label_rows(label, self.label_dims, joint)
        x = in_batch(draw(math.prod(joint), self._latent_shape, rows, generator=generator), joint)
        total = self.base.log_prob(x, label)
        for layer in reversed(self.layers):
            given = {} if isinstance(layer, Bijector) else {"generator": generator}
            x, contribution = layer.inverse(x, context, **given)  # type: ignore[operator]
            total = total - contribution
        return x, total

    def _joint_batch(self, batch: int | tuple[int, ...], context: Any, label: Any) -> tuple[int, ...]:
        """The batch shape of what is drawn."""
        conditions = (context, self._context_dims), (label, self.label_dims)
        number, each = number_and_shape(batch)
        if number is not None:
            require_one_each(number, *conditions)
            return (number,)
        if isinstance(context, Tensor) and self._context_dims is None:
            raise ValueError(
                f"sample({batch}, ...) draws for each row of the context, whose dimensions these layers do not say: "
                "ask for a number of samples, with a row of context for each"
            )
        return (*each, *joint_batch((), *conditions))

    def _one_draw(self, x: Tensor, context: Any, generator: torch.Generator | None, label: Any) -> Tensor:
        batch = tuple(x.shape[: x.ndim - len(self.event_shape)])
        joint = joint_batch(batch, (context, self._context_dims), (label, self.label_dims))
        x = x.expand(*joint, *x.shape[len(batch) :])
        total: Tensor | None = None
        for layer in self.layers:
            given = {} if isinstance(layer, Bijector) else {"generator": generator}
            x, contribution = layer(x, context, **given)
            total = contribution if total is None else total + contribution
        assert total is not None
        return self.base.log_prob(x, label) + total


def _latent_support(layers: list[Layer]) -> Support:
    """Where the latents lie; ValueError where a layer takes more than those before it give."""
    filled = interval_filled(layers, own_domain(layers), "StochasticFlow")
    last = layers[-1]
    if isinstance(last, Bijector):
        return last.latent_support() or IntervalSupport(lambda dtype: filled, last.latent_event_dims)
    return IntervalSupport(lambda dtype: filled, last.event_dims)
