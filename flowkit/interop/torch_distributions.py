"""flowkit's flows and base distributions as ``torch.distributions``."""

import copy
import math
from abc import ABC, abstractmethod
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import biject_to, constraints

from flowkit.bijector import Shape
from flowkit.distributions.distribution import Distribution
from flowkit.flow import Flow
from flowkit.interop.rows import batch_shape_of, context_rows, is_several, to_rows
from flowkit.interop.torch_transforms import BijectorTransform, FromTorchTransform, domain_constraint
from flowkit.ops.values import readable
from flowkit.supports import IntervalSupport

__all__ = ["BaseDistribution", "BijectorTransform", "FlowDistribution", "FromTorchTransform"]

_SINGLE = torch.Size()


class _View(TorchDistribution, ABC):
    """The common part of the views, which turn batches of any shape, and their conditions, into rows."""

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012 (torch looks for it on the class)

    def __init__(
        self, event_shape: Shape, conditions: tuple[tuple[Any, int], ...], validate_args: bool | None = None
    ) -> None:
        if is_several(event_shape):
            raise ValueError(f"a torch distribution is one of single tensors, got the event shapes {event_shape}")
        batch = torch.broadcast_shapes(*(batch_shape_of(*condition) for condition in conditions))
        super().__init__(torch.Size(batch), torch.Size(event_shape), validate_args)

    @property
    @abstractmethod
    def support(self) -> constraints.Constraint:
        """Where the density may be positive."""

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether samples can be differentiated with respect to the parameters."""
        source = self._source()
        return (source.base if isinstance(source, Flow) else source).is_reparametrised

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same distribution with a larger batch shape.

        Args:
            batch_shape: a shape that the present one broadcasts to.

        Returns:
            A new view of the same modules.

        Raises:
            ValueError: the present batch shape does not broadcast to it.
        """
        batch_shape = torch.Size(batch_shape)
        own = (1,) * (len(batch_shape) - len(self.batch_shape)) + self.batch_shape
        if len(own) != len(batch_shape) or any(a not in (1, b) for a, b in zip(own, batch_shape, strict=True)):
            raise ValueError(f"the batch shape {tuple(self.batch_shape)} does not expand to {tuple(batch_shape)}")
        new = copy.copy(self)
        new._batch_shape = batch_shape
        return new

    def sample(self, sample_shape: Any = _SINGLE) -> Tensor:
        """Samples ``sample_shape x batch x event``, without gradients."""
        shape, arguments = self._sizes(sample_shape)
        return self._source().sample(*arguments).reshape(shape)

    def rsample(self, sample_shape: Any = _SINGLE) -> Tensor:
        """Samples ``sample_shape x batch x event`` that gradients run through.

        Raises:
            NotImplementedError: the base distribution's samples are no differentiable function of its parameters and
                noise.
        """
        shape, arguments = self._sizes(sample_shape)
        return self._source().rsample(*arguments).reshape(shape)

    def sample_and_log_prob(self, sample_shape: Any = _SINGLE) -> tuple[Tensor, Tensor]:
        """What :meth:`sample` draws and its log-density, in one pass, both without gradients."""
        shape, arguments = self._sizes(sample_shape)
        x, log_prob = self._source().sample_and_log_prob(*arguments)
        return x.reshape(shape), log_prob.reshape(self._batch_of(shape))

    def rsample_and_log_prob(self, sample_shape: Any = _SINGLE) -> tuple[Tensor, Tensor]:
        """What :meth:`rsample` draws and its log-density, in one pass, both with gradients; errors are its own."""
        shape, arguments = self._sizes(sample_shape)
        x, log_prob = self._source().rsample_and_log_prob(*arguments)
        return x.reshape(shape), log_prob.reshape(self._batch_of(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of ``... x batch x event``, natural log, one number per sample.

        Without ``validate_args`` it is minus infinity outside the support, where a sampler such as Pyro's NUTS, which
        checks nothing either, may come by rounding, and turns back.

        Raises:
            ValueError: (where ``validate_args``) the shape does not fit, or a value lies outside the support.
        """
        if self._validate_args:
            self._validate_sample(value)
        cut = value.ndim - len(self.event_shape)
        batch = torch.broadcast_shapes(value.shape[:cut], self.batch_shape)
        rows, _ = to_rows(value.expand(*batch, *value.shape[cut:]), len(self.event_shape))
        inside = self._inside(rows) if readable(rows) and not self._validate_args else None
        if inside is None or bool(inside.all()):
            return self._log_prob_of_rows(rows, batch).reshape(batch)
        rows = rows.where(inside.reshape(-1, *(1,) * (rows.ndim - 1)), self._some_event(rows))
        return self._log_prob_of_rows(rows, batch).where(inside, -math.inf).reshape(batch)

    def _inside(self, rows: Tensor) -> Tensor:
        """Which rows lie in the support."""
        inside: Tensor = self.support.check(rows)
        return inside

    def _some_event(self, like: Tensor) -> Tensor:
        """An event in the support: what zeros are taken to from all real numbers."""
        onto = biject_to(self.support)
        return onto(like.new_zeros(onto.inverse_shape(self.event_shape)))

    def _sizes(self, sample_shape: Any) -> tuple[torch.Size, tuple[Any, ...]]:
        """The shape of samples, batch and event, and what the source is to be given to draw them as rows."""
        shape = self._extended_shape(sample_shape)
        return shape, self._arguments(self._batch_of(shape))

    def _batch_of(self, shape: torch.Size) -> torch.Size:
        return shape[: len(shape) - len(self.event_shape)]

    @abstractmethod
    def _source(self) -> Flow | Distribution[Any]:
        """What draws and scores."""

    @abstractmethod
    def _arguments(self, batch: torch.Size) -> tuple[Any, ...]:
        """What the source is to be given to draw rows that are samples of this batch shape."""

    @abstractmethod
    def _log_prob_of_rows(self, rows: Tensor, batch: torch.Size) -> Tensor:
        """One number for each of ``rows x event``, the rows being samples of this batch shape."""


class FlowDistribution(_View):
    r"""A flow as a ``torch.distributions.Distribution``.

    .. math:: \log p(x \mid c, l) = \log p_Z(f(x \mid c) \mid l) + \log|\det \partial f / \partial x|

    The batch shape is that of the context and of the label together, ``()`` without. Tensors among them have one
    entry for each sample of the batch; anything else (a dictionary, an enumeration) is passed on unchanged and
    serves every sample. A flow with several levels is one distribution, over its data. ``rsample`` is available
    if the base distribution draws a differentiable function of its parameters and of noise.

    This view is no module: train ``flow.parameters()``. In Pyro, use the class of the same name in
    :mod:`flowkit.interop.pyro`.

    Args:
        flow: the flow.
        context: what the bijector is conditioned on.
        label: what the base distribution is conditioned on.
        event_shape: event shape of the data; ``None`` for the flow's own.
        context_dims: trailing dimensions of the context of one sample: 1 for vectors, 3 for images; ``None`` for what
            the flow says, and 1 where it says nothing.
        label_dims: trailing dimensions of the label of one sample: 0 for class numbers, 1 for vectors; ``None`` for
            the flow's.
        validate_args: whether ``log_prob`` checks values; ``None`` for torch's default.

    Raises:
        TypeError: ``flow`` is no :class:`~flowkit.Flow`.
        ValueError: no event shape is known, or it is not one that the bijector takes.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017, sec. 3 (sample, batch and event shapes).

    Examples:
        >>> from torch import nn
        >>> from flowkit import Coupling, StandardNormal
        >>> flow = Flow(Coupling(2, nn.Linear(1, 2), event_dims=1), StandardNormal(), event_shape=(2,))
        >>> density = FlowDistribution(flow)
        >>> x = density.rsample((5,))
        >>> x.shape, density.log_prob(x).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(
        self,
        flow: Flow,
        context: Any = None,
        label: Any = None,
        event_shape: Shape | None = None,
        context_dims: int | None = None,
        label_dims: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(flow, Flow):
            raise TypeError(
                f"FlowDistribution takes a flowkit.Flow, got {type(flow).__name__}: "
                "join a bijector with a base distribution by Flow(bijector, base)"
            )
        self.flow = flow
        self.context = context
        self.label = label
        known = 1 if flow.context_dims is None else flow.context_dims
        self.context_dims = context_dims = known if context_dims is None else context_dims
        self.label_dims = label_dims = flow.label_dims if label_dims is None else label_dims
        event_shape = flow.event_shape if event_shape is None else event_shape
        if event_shape is None:
            raise ValueError("this flow takes data of any shape: say which, by event_shape=")
        if len(event_shape) != flow.bijector.event_dims:
            raise ValueError(
                f"the flow's events have {flow.bijector.event_dims} dimensions, event_shape is {tuple(event_shape)}"
            )
        flow.bijector.output_shape(event_shape)
        super().__init__(event_shape, ((context, context_dims), (label, label_dims)), validate_args)

    def _source(self) -> Flow:
        return self.flow

    @property
    def support(self) -> constraints.Constraint:
        """The bijector's domain, by the name torch has for it: ``positive``, ``unit_interval``, ``simplex``, ..."""
        return domain_constraint(self.flow.bijector)

    def _inside(self, rows: Tensor) -> Tensor:
        # The numbers that a bijector takes may be fewer: those of a logarithm do not underflow.
        taken = IntervalSupport(self.flow.bijector.domain, len(self.event_shape))
        return super()._inside(rows) & taken.contains(rows)

    def _log_prob_of_rows(self, rows: Tensor, batch: torch.Size) -> Tensor:
        return self.flow.log_prob(rows, self._context_rows(batch), _label_rows(self.label, self.label_dims, batch))

    def _arguments(self, batch: torch.Size) -> tuple[Any, ...]:
        label = _label_rows(self.label, self.label_dims, batch)
        return batch.numel(), tuple(self.event_shape), self._context_rows(batch), label

    def _context_rows(self, batch: torch.Size) -> Any:
        return context_rows(self.context, self.context_dims, batch)


class BaseDistribution(_View):
    r"""A base distribution of flowkit's as a ``torch.distributions.Distribution``: :math:`\log p_Z(z \mid l)`.

    The batch shape is the label's, ``()`` without.

    Args:
        distribution: the distribution; train its ``parameters()``.
        event_shape: the shape of one event, of a single tensor.
        label: what it is conditioned on, as for :class:`FlowDistribution`.
        label_dims: trailing dimensions of the label of one sample: 0 for class numbers, 1 for vectors.
        validate_args: whether ``log_prob`` checks values; ``None`` for torch's default.

    Raises:
        ValueError: the event shape is one of a tuple of tensors.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017, sec. 3 (sample, batch and event shapes).

    Examples:
        >>> from flowkit import Gaussian
        >>> base = BaseDistribution(Gaussian(3, event_dims=1), (3,))
        >>> base.log_prob(base.sample((4,))).shape
        torch.Size([4])
    """

    def __init__(
        self,
        distribution: Distribution[Any],
        event_shape: Shape,
        label: Any = None,
        label_dims: int = 0,
        validate_args: bool | None = None,
    ) -> None:
        self.distribution = distribution
        self.label = label
        self.label_dims = label_dims
        super().__init__(event_shape, ((label, label_dims),), validate_args)

    def _source(self) -> Distribution[Any]:
        return self.distribution

    @property
    def support(self) -> constraints.Constraint:
        """The distribution's own support; all real numbers unless it states one."""
        return self.distribution.support(len(self.event_shape))

    def _log_prob_of_rows(self, rows: Tensor, batch: torch.Size) -> Tensor:
        return self.distribution.log_prob(rows, _label_rows(self.label, self.label_dims, batch))

    def _arguments(self, batch: torch.Size) -> tuple[Any, ...]:
        return batch.numel(), tuple(self.event_shape), _label_rows(self.label, self.label_dims, batch)


def _label_rows(label: Any, label_dims: int, batch: torch.Size) -> Any:
    # Bijectors promise that a single context serves a batch; base distributions promise no such thing of labels.
    rows = context_rows(label, label_dims, batch)
    return rows.expand(batch.numel(), *rows.shape[1:]) if isinstance(rows, Tensor) else rows
