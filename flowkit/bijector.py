"""The contract that every bijection keeps."""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn

from flowkit.conditions import require_rows
from flowkit.half_precision import first_parameter, map_tensors, require_alike
from flowkit.hooks import why_called
from flowkit.ops.precision import HALF
from flowkit.ops.private import HOOKS_FOR_ALL_MODULES
from flowkit.ops.values import readable
from flowkit.overriding import drop_outdated
from flowkit.recorded import Recorded
from flowkit.supports.interval import covers, exact_interval
from flowkit.supports.support import Support

__all__ = [
    "REAL_LINE",
    "Bijector",
    "BoundBijector",
    "InTurn",
    "Interval",
    "Prepared",
    "Shape",
    "Step",
    "Wrapper",
    "sum_event",
]

X = TypeVar("X")
Z = TypeVar("Z")

# The ends of an open interval.
Interval = tuple[float, float]
REAL_LINE: Interval = (-math.inf, math.inf)

# The shape of one event: a tuple of sizes, or a tuple of those where a value is a tuple of tensors.
Shape = Any


class Bijector(Recorded, nn.Module, ABC, Generic[X, Z]):
    r"""An invertible map :math:`z = f(x \mid c)` with the log-determinant of its Jacobian, both ways.

    ``forward`` normalises (data to latent), ``inverse`` generates (latent to data). Each returns the result and
    the log-determinant *of that direction*, one number per sample:

    .. math:: \log\left|\det \partial f / \partial x\right|, \qquad
              \log\left|\det \partial f^{-1} / \partial z\right|.

    A subclass writes :meth:`_forward` and :meth:`_inverse`; :meth:`prepare` where something depends on the
    context alone; :meth:`output_shape` and :meth:`input_shape` where the shape changes or is restricted.

    Attributes:
        event_dims: how many trailing dimensions make one event (1 for vectors, 3 for images ``C x H x W``).
        batch_dims: how many leading dimensions are allowed before them; ``None`` stands for any number.
        takes_context: whether a context may change what it does itself; of a composition, its parts say so.
        takes_derivatives: whether it calls ``torch.func`` within, as :class:`~flowkit.Residual` does; compiled code
            stores what it computes, where :class:`~flowkit.Checkpointed` stores less of others.

    References:
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> class Double(Bijector[Tensor, Tensor]):
        ...     def _forward(self, x, prepared):
        ...         return 2 * x, sum_event(torch.full_like(x, 2.0).log(), self.event_dims)
        ...     def _inverse(self, z, prepared):
        ...         return z / 2, -sum_event(torch.full_like(z, 2.0).log(), self.event_dims)
        >>> z, log_det = Double()(torch.ones(5, 3))
        >>> z.shape, log_det.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """

    event_dims: int = 1
    batch_dims: int | None = None
    takes_context: bool = True
    takes_derivatives: bool = False

    # What `run` calls in place of `prepare` for an `InTurn`: a composition's hands each part its context, as another.
    _prepare_in_turn: Callable[[Any], Any] | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "run" in vars(cls):
            cls.run = _given_what_is_prepared(cls.run)  # type: ignore[method-assign]
        # A composition that is told to run something else prepares at once, and is one step.
        drop_outdated(cls, Bijector, ("_prepare_in_turn", "_steps"), ("prepare", "run", "_forward", "_inverse"))

    def forward(self, x: X, context: Any = None) -> tuple[Z, Tensor]:
        """Normalise: data to latent.

        Args:
            x: the data, a floating-point tensor ``batch x event`` (or a tuple of such).
            context: what the map depends on besides ``x``, of each sample or of one alone; ``None`` for an
                unconditional bijector. :class:`~flowkit.Flow` broadcasts more contexts than data as well.

        Returns:
            The latent ``z`` and log|det dz/dx| (shape: the batch shape; at least float32). Of half precision, ``z``
            is of the type that ``x`` and the parameters promote to.

        Raises:
            TypeError: ``x`` is not a floating-point tensor, or float64 where the parameters are float32, or the other
                way round.
            ValueError: it is on another device than the parameters, its shape is not one that this bijector takes, or a
                value lies outside :meth:`domain` (seen in eager mode; where the call is compiled or mapped by
                ``torch.func``, such a value gives what the formula gives, often ``nan``).
        """
        self._require_data(x, context)
        return self._in_result_type(self._forward, x, context)

    def inverse(self, z: Z, context: Any = None) -> tuple[X, Tensor]:
        """Generate: latent to data; log|det dx/dz| is returned beside it. Arguments and errors as in ``forward``."""
        self.input_shape(self._event_shape(z, self.latent_event_dims))
        _require_within(z, self.codomain, self.latent_support, self)
        _require_as_many(z, context, self.latent_event_dims)
        return self._in_result_type(self._inverse, z, context)

    def _require_data(self, x: Any, context: Any) -> None:
        """Refuse data that this bijector does not take, and contexts that are others in number."""
        self.output_shape(self._event_shape(x, self.event_dims))
        _require_within(x, self.domain, self.data_support, self._first)
        _require_as_many(x, context, self.event_dims)

    @property
    def _first(self) -> "Bijector[Any, Any]":
        """What takes the data, for messages: itself, or the first part of a composition."""
        return self

    def bind(self, context: Any) -> "BoundBijector[X, Z]":
        """The same bijection with everything that depends on the context alone computed once.

        Args:
            context: what would be passed to ``forward``. A context of batch size one serves a batch of any size.

        Returns:
            A bijector without context: ``b.bind(c)(x)`` equals ``b(x, c)``. It holds results, not a cache: bind
            again after the parameters change.
        """
        return BoundBijector(self, self.prepare(self._promoted(context)))

    def output_shape(self, shape: Shape) -> Shape:
        """Event shape of ``forward``'s result for an input of event shape ``shape``; ValueError if not accepted."""
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """Event shape of ``inverse``'s result for a latent of event shape ``shape``; ValueError if not accepted."""
        return shape

    def domain(self, dtype: torch.dtype) -> Interval:
        """The open interval that every element of ``forward``'s input lies in.

        Args:
            dtype: floating-point type of the input; an exponential overflows earlier in float32 than in float64.

        Returns:
            Its two ends; minus and plus infinity for the real line.
        """
        return REAL_LINE

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The open interval that every element of ``inverse``'s input lies in; as :meth:`domain`."""
        return REAL_LINE

    @property
    def moves_entries(self) -> bool:
        """Whether it moves the entries of an event and changes none: latents lie in the interval that the data do."""
        return False

    @property
    def keeps_lengths(self) -> bool:
        """Whether it takes the sphere of unit vectors to itself, as a rotation does."""
        return False

    def image_of(self, interval: Interval) -> Interval | None:
        """The interval that the entries of the latents fill where those of the data fill another one.

        Args:
            interval: its ends, in exact arithmetic.

        Returns:
            The ends, those of :meth:`codomain` for all of :meth:`domain`; ``None`` for a part of it, whose image is no
            interval: a linear map takes a cube to something slanted.
        """
        if self.moves_entries:
            return interval
        return exact_interval(self.codomain) if covers(interval, exact_interval(self.domain)) else None

    def data_support(self) -> Support | None:
        """What ``forward``'s input lies on, where :meth:`domain` does not say all: a simplex, a sphere.

        Returns:
            The support, with the measure that log-determinants refer to; ``None`` for all of the domain, and its
            volume.
        """
        return None

    def latent_support(self) -> Support | None:
        """What ``inverse``'s input lies on, where :meth:`codomain` does not say all; as :meth:`data_support`."""
        return None

    @property
    def latent_event_dims(self) -> int:
        """How many trailing dimensions make one event of the latents: as of the data, unless a subclass says more."""
        return self.event_dims

    def prepare(self, context: Any) -> Any:
        """Everything that depends on the context alone; handed to ``_forward`` and ``_inverse``."""
        return context

    def run(self, x: Any, prepared: Any, inverse: bool = False) -> tuple[Any, Tensor]:
        """Run as a part of a composition: on checked input, given what :meth:`prepare` returned.

        Forward hooks of this bijector fire, as in a call; they see ``(x, Prepared(prepared))`` for its arguments.

        Args:
            x: data ``batch x event``, or a latent for the inverse.
            prepared: what :meth:`prepare` returned, or the context as an ``InTurn``, to be prepared now.
            inverse: whether the inverse is run, for which torch knows no hooks.

        Returns:
            As ``forward`` or ``inverse``.
        """
        if isinstance(prepared, InTurn):
            # As _prepared_for_one_run, without a call more for each of fifty layers.
            prepare = self.prepare if self._prepare_in_turn is None else self._prepare_in_turn
            prepared = prepare(prepared.context)
        if inverse:
            return self._inverse(x, prepared)
        # A call checks the shape again, which costs more than small layers do.
        hooks = self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks
        if hooks or any(HOOKS_FOR_ALL_MODULES):
            return self(x, Prepared(prepared))
        return self._forward(x, prepared)

    @abstractmethod
    def _forward(self, x: X, prepared: Any) -> tuple[Z, Tensor]:
        """``forward`` on checked input, given what :meth:`prepare` returned."""

    @abstractmethod
    def _inverse(self, z: Z, prepared: Any) -> tuple[X, Tensor]:
        """``inverse`` on checked input, given what :meth:`prepare` returned."""

    def _steps(self, context: Any) -> list["Step"]:
        """The bijections that ``forward`` runs one after another, each with its own context: itself, or its parts.

        What recomputes instead of storing (:class:`~flowkit.bijectors.Activations`) goes by them, so that it sees
        through compositions.
        """
        return [Step(self, inverse=False, context=context)]

    def _steps_as_part(self, context: Any) -> list["Step"]:
        """Its steps within a composition: itself alone where forward hooks wait for its call."""
        return self._steps(context) if why_called([(self, type(self))]) is None else Bijector._steps(self, context)

    def _in_result_type(self, direction: Callable[..., Any], x: Any, context: Any) -> Any:
        """Run a direction; what is in half precision leaves in the type that it and the parameters promote to.

        Between the layers of a composition values are float32 at least: rounded once, they come back.
        """
        like = x
        while isinstance(like, tuple):
            like = like[0]
        parameter = first_parameter(self) if like.dtype in HALF else None
        if parameter is None:
            return direction(x, self._prepared(context))
        dtype = torch.promote_types(like.dtype, parameter.dtype)
        y, log_det = direction(map_tensors(lambda tensor: tensor.to(dtype), x), self._prepared(context))
        return map_tensors(lambda tensor: tensor.to(dtype), y), log_det

    def _prepared(self, context: Any) -> Any:
        if isinstance(context, Prepared):
            return context.value
        return _prepared_for_one_run(self, self._promoted(context))

    def _promoted(self, context: Any) -> Any:
        """The context; what of it is in half precision in the type that it and the parameters promote to."""
        if context is None or (isinstance(context, Tensor) and context.dtype not in HALF):
            return context
        parameter = first_parameter(self)
        if parameter is None or parameter.dtype in HALF:
            return context
        dtype = parameter.dtype
        return map_tensors(lambda tensor: tensor.to(dtype) if tensor.dtype in HALF else tensor, context)

    def _event_shape(self, value: Any, event_dims: int) -> Shape:
        if isinstance(value, tuple):
            return tuple(self._event_shape(part, event_dims) for part in value)
        name = type(self).__name__
        if not isinstance(value, Tensor) or not value.is_floating_point():
            got = f"{value.dtype} tensor" if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"{name} takes floating-point tensors, got a {got}; convert it first")
        if value.layout is not torch.strided:
            raise TypeError(
                f"{name} takes dense tensors, got one of the layout {value.layout}: convert it by x.to_dense()"
            )
        require_alike(self, data=value)
        batch = value.ndim - event_dims
        if batch < 0 or (self.batch_dims is not None and batch != self.batch_dims):
            before = "any number of" if self.batch_dims is None else str(self.batch_dims)
            raise ValueError(
                f"{name} takes {event_dims} event dimensions after {before} batch dimensions, "
                f"got a tensor of shape {tuple(value.shape)}"
            )
        return tuple(value.shape[batch:])


class Prepared(NamedTuple):
    """Stands for a context that a bijector has prepared already.

    Attributes:
        value: what :meth:`Bijector.prepare` returned.

    Examples:
        >>> from flowkit import Reversal
        >>> layer = Reversal(2)
        >>> layer(torch.tensor([[1.0, 2.0]]), Prepared(layer.prepare(None)))[0]
        tensor([[2., 1.]])
    """

    value: Any


class InTurn(NamedTuple):
    """Stands for what a part of a composition prepares when its turn comes, for a single run.

    Prepared before the first part runs, all parts' results would be in memory at once.

    Attributes:
        context: the part's context.

    Examples:
        >>> from flowkit import Reversal
        >>> Reversal(2).run(torch.tensor([[1.0, 2.0]]), InTurn(None))[0]
        tensor([[2., 1.]])
    """

    context: Any


class Step(NamedTuple):
    """One of the bijections that a composition runs, with what it is given.

    Attributes:
        bijector: the bijection.
        inverse: whether the composition's ``forward`` runs its inverse.
        context: its own, of any structure.

    Examples:
        >>> from flowkit import Chain, Inverse, Reversal
        >>> [step.inverse for step in Chain([Reversal(2), Inverse(Reversal(2))])._steps(None)]
        [False, True]
    """

    bijector: Bijector[Any, Any]
    inverse: bool
    context: Any

    # Made anew, not by _replace, which torch.compile of torch before 2.12 does not trace.
    def turned(self) -> "Step":
        """The same in the other direction."""
        return Step(self.bijector, not self.inverse, self.context)

    def with_context(self, context: Any) -> "Step":
        """The same with another context."""
        return Step(self.bijector, self.inverse, context)

    def prepare(self) -> Any:
        """What the bijection prepares of its context."""
        return self.bijector.prepare(self.context)

    def run(self, x: Any, prepared: Any) -> tuple[Any, Tensor]:
        """The step's result and its log-determinant, of the batch shape."""
        return self.bijector.run(x, prepared, self.inverse)


class Wrapper(Bijector[X, Z]):
    """A bijector around another one, which does the work; a subclass changes what is prepared.

    Args:
        bijector: the bijector within; event shapes, dimensions and intervals are its own.

    Examples:
        >>> from flowkit import Squeeze
        >>> class Unconditional(Wrapper[Tensor, Tensor]):
        ...     def prepare(self, context):
        ...         return self.bijector.prepare(None)
        >>> z, _ = Unconditional(Squeeze())(torch.rand(2, 1, 4, 4), context=torch.rand(2, 5))
        >>> z.shape
        torch.Size([2, 4, 2, 2])
    """

    def __init__(self, bijector: Bijector[X, Z]) -> None:
        super().__init__()
        self.bijector = bijector
        self.event_dims = bijector.event_dims
        self.batch_dims = bijector.batch_dims

    def output_shape(self, shape: Shape) -> Shape:
        """As the bijector within."""
        return self.bijector.output_shape(shape)

    def input_shape(self, shape: Shape) -> Shape:
        """As the bijector within."""
        return self.bijector.input_shape(shape)

    def domain(self, dtype: torch.dtype) -> Interval:
        """As the bijector within."""
        return self.bijector.domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """As the bijector within."""
        return self.bijector.codomain(dtype)

    @property
    def moves_entries(self) -> bool:
        """As the bijector within."""
        return self.bijector.moves_entries

    @property
    def keeps_lengths(self) -> bool:
        """As the bijector within."""
        return self.bijector.keeps_lengths

    def image_of(self, interval: Interval) -> Interval | None:
        """As the bijector within."""
        return self.bijector.image_of(interval)

    def data_support(self) -> Support | None:
        """As the bijector within."""
        return self.bijector.data_support()

    def latent_support(self) -> Support | None:
        """As the bijector within."""
        return self.bijector.latent_support()

    @property
    def latent_event_dims(self) -> int:
        """As the bijector within."""
        return self.bijector.latent_event_dims

    def prepare(self, context: Any) -> Any:
        """What the bijector within prepares."""
        return self.bijector.prepare(context)

    def _prepare_in_turn(self, context: Any) -> InTurn:
        return InTurn(context)

    def _forward(self, x: X, prepared: Any) -> tuple[Z, Tensor]:
        return self.bijector.run(x, prepared)

    def _inverse(self, z: Z, prepared: Any) -> tuple[X, Tensor]:
        return self.bijector.run(z, prepared, inverse=True)


class BoundBijector(Wrapper[X, Z]):
    """A bijector whose context is already worked in; made by :meth:`Bijector.bind`.

    What was prepared is moved and converted with the parameters; it keeps the precision that it was prepared in. What
    was prepared with gradients cannot be deep-copied, as no computed tensor can: copy the bijector and bind it again.

    Args:
        bijector: the bijector that was bound.
        prepared: what its ``prepare(context)`` returned; of one sample, it serves batches of any shape.

    Examples:
        >>> from torch import nn
        >>> from flowkit import Injector
        >>> bound = Injector(4, nn.Linear(2, 8), event_dims=1).bind(torch.rand(1, 2))
        >>> type(bound).__name__, bound(torch.rand(7, 4))[0].shape
        ('BoundBijector', torch.Size([7, 4]))
    """

    def __init__(self, bijector: Bijector[X, Z], prepared: Any) -> None:
        super().__init__(bijector)
        self.prepared = prepared

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.prepared = map_tensors(fn, self.prepared)
        return self

    def prepare(self, context: Any) -> Any:
        """What was prepared when binding.

        Raises:
            ValueError: another context is given: bind that one instead.
        """
        if context is not None:
            raise ValueError("a bound bijector has its context already: call it without one, or bind again")
        return self.prepared


def sum_event(values: Tensor, event_dims: int, like: Tensor | None = None) -> Tensor:
    r"""Sum over the event dimensions, :math:`\sum_i v_i`, in float32 at least.

    Args:
        values: one number per element, ``batch x event``.
        event_dims: how many trailing dimensions to sum over.
        like: a tensor ``batch x event`` to whose shape the values broadcast; ``None`` for values that have it. What
            many elements or samples share is summed once and multiplied.

    Returns:
        One number per sample, of the batch shape; float64 for float64, float32 for anything smaller.

    Raises:
        RuntimeError: the values do not broadcast to the shape of ``like``.

    Examples:
        >>> sum_event(torch.ones(2, 3, 4, 4, dtype=torch.bfloat16), 3)
        tensor([48., 48.])
        >>> sum_event(torch.ones(3, 1, 1), 3, like=torch.rand(2, 3, 4, 4))
        tensor([48., 48.])
    """
    dtype = torch.promote_types(values.dtype, torch.float32)
    # Of other lengths, shapes would be compared by what torch.export then takes to be fixed, the batch size.
    if like is None or (values.ndim == like.ndim and values.shape == like.shape):
        return values.flatten(values.ndim - event_dims).sum(-1, dtype=dtype)
    values.expand_as(like)
    values = values[(None,) * (like.ndim - values.ndim)]
    batch = like.ndim - event_dims
    shared = [theirs for own, theirs in zip(values.shape[batch:], like.shape[batch:], strict=True) if own == 1]
    return (values.flatten(batch).sum(-1, dtype=dtype) * math.prod(shared)).expand(like.shape[:batch])


def _prepared_for_one_run(bijector: Bijector[Any, Any], context: Any) -> Any:
    # Not by `or`: torch before 2.13 traces no truth of a method.
    prepare = bijector.prepare if bijector._prepare_in_turn is None else bijector._prepare_in_turn
    return prepare(context)


def _given_what_is_prepared(run: Callable[..., tuple[Any, Tensor]]) -> Callable[..., tuple[Any, Tensor]]:
    """A subclass's own ``run``, which is handed no :class:`InTurn`."""

    @functools.wraps(run)
    def given(self: Bijector[Any, Any], x: Any, prepared: Any, *rest: Any, **named: Any) -> tuple[Any, Tensor]:
        if isinstance(prepared, InTurn):
            prepared = _prepared_for_one_run(self, prepared.context)
        return run(self, x, prepared, *rest, **named)

    return given


def _require_as_many(value: Any, context: Any, event_dims: int) -> None:
    """Refuse other rows of contexts than of values, where both have as many dimensions, a row being one sample's."""
    if not isinstance(context, Tensor) or not isinstance(value, Tensor) or not readable(value):
        return
    if value.ndim == event_dims + 1 == context.ndim:
        require_rows(value.shape[0], context)


def _require_within(
    value: Any,
    interval: Callable[[torch.dtype], Interval],
    support: Callable[[], Support | None],
    bijector: nn.Module,
) -> None:
    """Refuse values outside the interval, or off the support, that a bijector takes.

    Args:
        value: a tensor, or a tuple of them.
        interval: the bijector's ``domain`` or ``codomain``.
        support: the bijector's ``data_support`` or ``latent_support``.
        bijector: named in the message.

    Raises:
        ValueError: a value lies outside, or is ``nan`` where not the whole real line is taken.
    """
    if isinstance(value, tuple):
        for part in value:
            _require_within(part, interval, support, bijector)
        return
    # A branch on values would break a compiled graph or a vmapped call.
    if not readable(value):
        return
    name = type(bijector).__name__
    ends = interval(value.dtype)
    # Nothing is to be seen on the real line.
    if ends != REAL_LINE:
        lower, upper = ends
        inside = (value > lower) & (value < upper)
        if not inside.all():
            first = value[~inside].flatten()[0].item()
            raise ValueError(f"{name} takes values in the open interval ({lower:g}, {upper:g}), got {first:g}")
    if (needed := support()) is not None:
        needed.require(value, name)
