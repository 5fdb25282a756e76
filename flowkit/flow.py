"""A bijection joined with a base distribution."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Shape
from flowkit.bijectors.context_dims import context_dims_of
from flowkit.bijectors.parts import require_bijector
from flowkit.conditions import (
    in_batch,
    joint_batch,
    label_rows,
    number_and_shape,
    refuse_arrays,
    require_drawable,
    require_one_each,
    require_rows,
    require_tensors,
)
from flowkit.constants import place_constants_after_loading
from flowkit.distributions import Distribution
from flowkit.distributions.parts import require_distribution, require_no_others
from flowkit.half_precision import require_alike
from flowkit.naming import named
from flowkit.recorded import Recorded
from flowkit.supports.interval import IntervalSupport, exact_interval

__all__ = ["Flow", "bits_per_dim"]


class Flow(Recorded, nn.Module):
    r"""A density by change of variables: :math:`\log p(x|c) = \log p_Z(f(x|c)) + \log|\det \partial f/\partial x|`.

    Args:
        bijector: ``f``, data to latents.
        base: the distribution of the latents, all levels together.
        event_shape: event shape of the data, where it is fixed: ``sample`` then needs none. An image flow that
            takes images of any size has ``None``.
        context_dims: trailing dimensions of the context of one sample: 1 for vectors, 3 for images, 0 for class
            numbers. Data and contexts are then broadcast against each other. ``None`` for what the bijector's networks
            say by an attribute ``context_dims``, as flowkit's do; where they say nothing, or a
            :class:`~flowkit.ContextMap` changes the context, there is one for each sample or one for all.
        label_dims: trailing dimensions of the label of one sample: 0 for class numbers, 1 for vectors; ``None`` for
            what the base says.

    Raises:
        TypeError: ``bijector`` is no bijector, ``base`` no distribution of flowkit's, or ``event_shape`` no tuple.
        ValueError: where the event shape is given: the bijector does not take it, or the base has values that the
            bijector never gives.

    References:
        D. J. Rezende, S. Mohamed, "Variational Inference with Normalizing Flows", ICML 2015.
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> from flowkit import FactorOut, MultiScale, Squeeze, StandardNormal, ZeroConv2d
        >>> bijector = MultiScale([Squeeze(), Squeeze()], [FactorOut(12, ZeroConv2d(6, 12))])
        >>> flow = Flow(bijector, StandardNormal(event_dims=3))
        >>> flow.log_prob(torch.rand(2, 3, 8, 8)).shape
        torch.Size([2])
        >>> flow.sample(2, (3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        bijector: Bijector[Any, Any],
        base: Distribution[Any],
        event_shape: Shape | None = None,
        context_dims: int | None = None,
        label_dims: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(bijector, Distribution) or isinstance(base, Bijector):
            raise TypeError(
                f"Flow takes the bijector first and the base distribution second, got {type(bijector).__name__} and "
                f"{type(base).__name__}"
            )
        if event_shape is not None and not isinstance(event_shape, tuple | list):
            raise TypeError(f"event_shape is {named(event_shape)}; it is a tuple of sizes, such as (2,) or (3, 32, 32)")
        require_bijector(bijector, "Flow")
        require_distribution(base, "Flow")
        self.bijector = bijector
        self.base = base
        self.event_shape = event_shape
        self.context_dims = context_dims_of(bijector) if context_dims is None else context_dims
        # Of a base of somebody's own that says nothing, a class number.
        self.label_dims: int = getattr(base, "label_dims", 0) if label_dims is None else label_dims
        self._require_no_other_latents()
        # A base distribution may have no state of its own to go by.
        place_constants_after_loading(self)

    def _require_no_other_latents(self) -> None:
        """Refuse a base that has values which the bijector never gives, where the event shape is known."""
        if self.event_shape is None:
            return
        shape = self.bijector.output_shape(tuple(self.event_shape))
        image = self.bijector.image_of(exact_interval(self.bijector.domain))
        support = self.bijector.latent_support() or IntervalSupport(
            self.bijector.codomain if image is None else lambda dtype: image, self.bijector.latent_event_dims
        )
        require_no_others(self.base, support, shape, type(self.bijector).__name__)

    def forward(self, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
        """Log-density, as :meth:`log_prob`: what calls a module calls this, :func:`initialize` and DDP among them."""
        return self.log_prob(x, context, label)

    def log_prob(self, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
        """Log-density, natural log, one number per sample.

        Args:
            x: data, ``batch x event``.
            context: what the bijector is conditioned on. Its batch shape, where the flow knows its dimensions, and
                that of the data broadcast: one vector under many contexts, or ``x[:, None]`` under each of a few rows.
            label: what the base distribution is conditioned on; likewise.

        Returns:
            A tensor of the joint batch shape.

        Raises:
            ValueError: the batch shapes do not fit, or the base distribution takes no label, or other dimensions for
                one event than the bijector.
            TypeError: the data or the context is an array of NumPy's, or the data has another precision than the
                flow's parameters.
        """
        z, log_det = self.bijector(self._matched(x, context, label), context)
        return self._joined(self.base.log_prob(z, label), log_det)

    def sample(
        self,
        batch: int | tuple[int, ...] = (),
        shape: Shape | None = None,
        context: Any = None,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw data, without gradients; :meth:`rsample` has them.

        Args:
            batch: how many, >= 0; or a shape of samples for each row of the context and the label, as in
                ``torch.distributions``: ``sample((100,), context=rows)`` draws 100 for each of the rows.
            shape: event shape of the data, for images ``(C, H, W)``; ``None`` for the flow's own.
            context: what the bijector is conditioned on. For a number of samples, one for each or one for all.
            label: what the base distribution is conditioned on; likewise.
            temperature: factor on the latents' deviation from their mean, >= 0.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``batch x shape``; for a shape of samples, ``batch x rows x shape``.

        Raises:
            TypeError: ``batch`` is neither a number nor a tuple of them.
            ValueError: neither ``shape`` is given nor the flow has one of its own, ``shape`` is no tuple of sizes,
                ``batch`` or ``temperature`` is negative, or the rows of context and label do not fit.
        """
        with torch.no_grad():
            latents = self._latents(self.base.sample, batch, shape, context, label, temperature, generator)
            return self.bijector.inverse(latents, context)[0]

    def rsample(
        self,
        batch: int | tuple[int, ...] = (),
        shape: Shape | None = None,
        context: Any = None,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw data as :meth:`sample` does, as differentiable functions of the parameters, the context and noise.

        Raises:
            NotImplementedError: the base distribution has no such samples (a mixture picks its component at random).
            TypeError: as for :meth:`sample`.
            ValueError: as for :meth:`sample`.
        """
        latents = self._latents(self.base.rsample, batch, shape, context, label, temperature, generator)
        return self.bijector.inverse(latents, context)[0]

    def sample_and_log_prob(
        self,
        batch: int | tuple[int, ...] = (),
        shape: Shape | None = None,
        context: Any = None,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`sample` draws and its log-density, in one pass of the flow, both without gradients.

        The density is the flow's own, that of temperature 1. Arguments and errors are those of :meth:`sample`.
        """
        with torch.no_grad():
            latents = self._latents(self.base.sample, batch, shape, context, label, temperature, generator)
            return self._generated(latents, context, label)

    def rsample_and_log_prob(
        self,
        batch: int | tuple[int, ...] = (),
        shape: Shape | None = None,
        context: Any = None,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`rsample` draws and its log-density, in one pass of the flow, both with gradients.

        The density is the flow's own, that of temperature 1. Arguments and errors are those of :meth:`rsample`.
        """
        latents = self._latents(self.base.rsample, batch, shape, context, label, temperature, generator)
        return self._generated(latents, context, label)

    def bits_per_dim(self, x: Tensor, context: Any = None, label: Any = None, bins: int = 1) -> Tensor:
        """Code length of ``x`` in bits per dimension, one number per sample; see :func:`bits_per_dim`."""
        log_prob = self.log_prob(x, context, label)
        return bits_per_dim(log_prob, math.prod(x.shape[x.ndim - self.bijector.event_dims :]), bins)

    def _matched(self, x: Any, context: Any, label: Any) -> Any:
        """The data, repeated where contexts or labels are more."""
        refuse_arrays(data=x, context=context, label=label)
        require_tensors(context, self.context_dims, **({} if self._takes_tuples() else {"data": x}))
        self._require_context_taken(context)
        if not isinstance(x, Tensor):
            return x
        require_alike(self.bijector, context=context)
        cut = x.ndim - self.bijector.event_dims
        # The bijector says of data of too few dimensions what they lack.
        if cut < 0:
            return x
        self._require_entries(tuple(x.shape[cut:]))
        if context is None and label is None:
            return x
        batch = tuple(x.shape[:cut])
        if self.context_dims is None and len(batch) == 1:
            require_rows(batch[0], context)
        joint = joint_batch(batch, (context, self.context_dims), (label, self.label_dims))
        return x if joint == batch else x.expand(*joint, *x.shape[cut:])

    def _joined(self, latent_log_prob: Tensor, log_det: Tensor) -> Tensor:
        if latent_log_prob.ndim != log_det.ndim:
            raise ValueError(
                f"the base distribution {type(self.base).__name__} gives log-densities of shape "
                f"{tuple(latent_log_prob.shape)}, the bijector {type(self.bijector).__name__} log-determinants of "
                f"shape {tuple(log_det.shape)}: their event dimensions differ; set event_dims of the base, 3 for images"
            )
        return latent_log_prob + log_det

    def _latents(
        self,
        draw: Callable[..., Any],
        batch: int | tuple[int, ...],
        shape: Shape | None,
        context: Any,
        label: Any,
        temperature: float,
        generator: torch.Generator | None,
    ) -> Any:
        """Latents ``batch x event``, by the base distribution's ``sample`` or ``rsample``."""
        event = self._sampled_shape(shape)
        refuse_arrays(context=context, label=label)
        require_tensors(context, self.context_dims)
        self._require_context_taken(context)
        require_alike(self.bijector, context=context)
        require_drawable(temperature, generator)
        conditions = (context, self.context_dims), (label, self.label_dims)
        number, each = number_and_shape(batch)
        if number is not None:
            require_one_each(number, *conditions)
            return draw(number, self.bijector.output_shape(event), label, temperature, generator)
        if isinstance(context, Tensor) and self.context_dims is None:
            raise ValueError(
                f"sample({batch}, ...) draws for each row of the context, whose dimensions this flow does not know: "
                "make it by Flow(..., context_dims=1) for vectors (3 for images), or ask for a number of samples"
            )
        joint = (*each, *joint_batch((), *conditions))
        rows = label_rows(label, self.label_dims, joint)
        latents = draw(math.prod(joint), self.bijector.output_shape(event), rows, temperature, generator)
        return in_batch(latents, joint)

    def _takes_tuples(self) -> bool:
        """Whether one event may be several tensors, as of a multi-scale bijection's inverse."""
        return not self.event_shape or isinstance(self.event_shape[0], tuple)

    def _require_context_taken(self, context: Any) -> None:
        if context is None or torch.compiler.is_compiling():
            return
        if not any(getattr(part, "takes_context", False) for part in self.bijector.modules()):
            raise ValueError(
                f"no layer of this flow takes a context, got {named(context)}: leave it out, or make a flow that does, "
                "as flowkit.nsf(features, context_features=3)"
            )

    def _require_entries(self, event: Shape) -> None:
        """Refuse events of other features or channels than the flow's own; an image may have another size."""
        own = self.event_shape
        if self._takes_tuples() or own is None or (len(event) == len(own) and event[0] == own[0]):
            return
        what = f"{own[0]} features" if len(own) == 1 else f"{own[0]} channels, as of shape {tuple(own)}"
        raise ValueError(f"this flow takes events of {what}, got the event shape {event}")

    def _sampled_shape(self, shape: Shape | None) -> Shape:
        shape = self.event_shape if shape is None else shape
        if shape is None:
            raise ValueError("this flow takes data of any shape: say which to sample, as sample(batch, shape)")
        if not isinstance(shape, (tuple, list)):
            got = f"a {type(shape).__name__} of shape {tuple(shape.shape)}" if hasattr(shape, "shape") else repr(shape)
            raise ValueError(
                f"shape is {got}; expected the event shape as a tuple, such as (3, 32, 32). Give a context by its "
                "name: sample((10,), context=context) draws 10 for each of its rows"
            )
        self._require_entries(tuple(shape))
        return shape

    def _generated(self, latents: Any, context: Any, label: Any) -> tuple[Tensor, Tensor]:
        x, log_det = self.bijector.inverse(latents, context)
        return x, self._joined(self.base.log_prob(latents, label), -log_det)


def bits_per_dim(log_prob: Tensor, dimensions: int, bins: int = 1) -> Tensor:
    r"""Bits per dimension: :math:`-\log p(x) / (D \log 2) + \log_2 n`.

    Args:
        log_prob: log-density of data in [0, 1], natural log.
        dimensions: ``D``, the number of values in one sample.
        bins: ``n``, the number of levels that the data was dequantised from; 1 leaves the density as it is.

    Returns:
        A tensor of the shape of ``log_prob``.

    References:
        L. Theis, A. van den Oord, M. Bethge, "A note on the evaluation of generative models", ICLR 2016.

    Examples:
        >>> bits_per_dim(torch.tensor([0.0]), dimensions=12, bins=256)
        tensor([8.])
    """
    return -log_prob / (dimensions * math.log(2)) + math.log2(bins)
