"""Transforms of torch.distributions as flowkit bijectors, and bijectors as such transforms."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints, transform_to
from torch.distributions.transforms import CatTransform, ComposeTransform, Transform, _InverseTransform

from flowkit.bijector import Bijector, Interval, Shape, Wrapper, sum_event
from flowkit.bijectors import Chain, Inverse
from flowkit.interop.constraints import constraint_of, exact_interval, interval_of
from flowkit.interop.rows import batch_shape_of, context_rows, to_rows
from flowkit.ops.precision import without_autocast
from flowkit.supports import IntervalSupport, ProductSupport, Support, SupportConstraint

__all__ = ["BijectorTransform", "FromTorchTransform", "codomain_constraint", "domain_constraint"]


class FromTorchTransform(Bijector[Tensor, Tensor]):
    r"""A transform of ``torch.distributions`` as a flowkit bijector: ``forward`` is its call, ``inverse`` its ``inv``.

    .. math:: z = t(x), \qquad \log|\det \partial z / \partial x| = \sum_i \ell_i(x, z)

    with :math:`\ell` the transform's ``log_abs_det_jacobian``, summed over those dimensions of the event that the
    transform treats as batch dimensions.

    Mind the direction. A flowkit bijector normalises: its ``forward`` takes data to latents. The transforms in a
    ``TransformedDistribution`` generate: for those give ``t.inv``.

    The transform stays the caller's object: tensors that a plain torch transform holds are not parameters of this
    module, do not follow ``to(device)`` and are not in its state dict. One that is itself an ``nn.Module``, as Pyro's
    flows are, is registered. It caches results if it was made with a cache. (torch cannot copy or pickle a composition
    that holds inverses; compose the transforms that they invert, and apply :class:`~flowkit.Inverse`.)

    Args:
        transform: a bijective ``torch.distributions.transforms.Transform`` that keeps the number of dimensions.
        event_dims: trailing dimensions of one event, at least the transform's own, and 1 for an elementwise one
            unless stated.

    Raises:
        TypeError: ``transform`` is not one of torch.
        ValueError: it is not bijective, changes the number of event dimensions, or has more than ``event_dims``; (when
            called) its log-determinants do not have the shape that its event dimensions promise.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017, sec. 3.2 and 4 (event dimensions and bijectors, which
        ``torch.distributions`` follows).

    Examples:
        >>> from torch.distributions.transforms import AffineTransform
        >>> normalise = FromTorchTransform(AffineTransform(5.0, 2.0).inv)
        >>> normalise(torch.tensor([[5.0, 9.0]]))
        (tensor([[0., 2.]]), tensor([-1.3863]))
    """

    def __init__(self, transform: Transform, event_dims: int | None = None) -> None:
        super().__init__()
        name = type(transform).__name__
        if not isinstance(transform, Transform):
            raise TypeError(f"FromTorchTransform takes a torch.distributions.transforms.Transform, got a {name}")
        if not transform.bijective:
            raise ValueError(f"{name} is not bijective: it cannot be a bijector")
        own, other = transform.domain.event_dim, transform.codomain.event_dim
        if own != other:
            raise ValueError(
                f"{name} takes events of {own} dimensions to events of {other}; only one that keeps "
                "their number is taken; of flowkit's own, Reshape and CorrelationCholesky change it"
            )
        if event_dims is not None and event_dims < own:
            raise ValueError(f"event_dims is {event_dims}; {name} takes events of {own} dimensions")
        # torch copies and pickles an inverse without what it is the inverse of: only that is kept.
        self._turned = isinstance(transform, _InverseTransform)
        self._upright = transform.inv if self._turned else transform
        self.event_dims = max(own, 1) if event_dims is None else event_dims
        self._own_dims = own

    @property
    def transform(self) -> Transform:
        """The transform that was given."""
        return self._upright.inv if self._turned else self._upright

    def output_shape(self, shape: Shape) -> Shape:
        """The transform's ``forward_shape``."""
        size = torch.Size(shape)
        return tuple(self._upright.inverse_shape(size) if self._turned else self._upright.forward_shape(size))

    def input_shape(self, shape: Shape) -> Shape:
        """The transform's ``inverse_shape``."""
        size = torch.Size(shape)
        return tuple(self._upright.forward_shape(size) if self._turned else self._upright.inverse_shape(size))

    def domain(self, dtype: torch.dtype) -> Interval:
        """The interval of the transform's domain; the real line where that is none (a simplex, a matrix)."""
        return interval_of(self._upright.codomain if self._turned else self._upright.domain)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The interval of the transform's codomain; the real line where that is none."""
        return interval_of(self._upright.domain if self._turned else self._upright.codomain)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with without_autocast(x.device):
            z = _inverse(self._upright, x) if self._turned else self._upright(x)
            return z, self._log_det(x, z, x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with without_autocast(z.device):
            x = self._upright(z) if self._turned else _inverse(self._upright, z)
            return x, -self._log_det(x, z, z)

    def _log_det(self, x: Tensor, z: Tensor, given: Tensor) -> Tensor:
        upright = self._upright
        log_det = -upright.log_abs_det_jacobian(z, x) if self._turned else upright.log_abs_det_jacobian(x, z)
        batch = given.shape[: given.ndim - self.event_dims]
        # The event's dimensions that the transform treats as batch dimensions are left to be summed.
        left = given.shape[len(batch) : given.ndim - self._own_dims]
        try:
            log_det = log_det.expand((*batch, *left))
        except RuntimeError as error:
            raise ValueError(
                f"{type(self.transform).__name__} gave log-determinants of shape {tuple(log_det.shape)} for values of "
                f"shape {tuple(given.shape)} and events of {self._own_dims} dimensions, of which it should sum each"
            ) from error
        return sum_event(log_det[..., None], len(left) + 1).to(torch.promote_types(given.dtype, torch.float32))


def _inverse(transform: Transform, y: Tensor) -> Tensor:
    """What ``transform.inv(y)`` gives; asked for ``inv``, torch leaves a reference to it behind."""
    if isinstance(transform, ComposeTransform):
        for part in reversed(transform.parts):
            y = _inverse(part, y)
        return y
    if isinstance(transform, _InverseTransform):
        return transform.inv(y)
    return transform._inv_call(y)


class _Pair(NamedTuple):
    """A result that is kept, with what it is the result of."""

    x: Tensor
    y: Tensor
    log_det: Tensor
    grad_enabled: bool


class BijectorTransform(Transform):
    r"""A flowkit bijector as a transform of ``torch.distributions``: its call is ``forward``, its ``inv`` ``inverse``.

    .. math:: y = f(x \mid c), \qquad \mathtt{log\_abs\_det\_jacobian}(x, y) = \log|\det \partial f / \partial x|

    over whole events: the result has the batch shape. Domain and codomain are the bijector's, over all of the event.
    Mind the direction. A ``TransformedDistribution`` generates, from its base to the data, and a bijector's
    ``forward`` normalises: there, give ``BijectorTransform(bijector).inv``.

    With ``cache_size=1`` the last pair is kept, with its log-determinant, so that the ``log_prob`` of a
    ``TransformedDistribution`` runs the bijector once instead of twice. What was computed without gradients is not
    used where they are wanted: ``log_prob(sample())`` trains the parameters. As with every cached transform of torch,
    a tensor that is passed again gives the kept result even if the parameters have changed since.

    Args:
        bijector: the bijector, of tensors to tensors. This view is no module: train ``bijector.parameters()``.
        context: what the bijector is conditioned on, of any batch shape that broadcasts to the data's.
        context_dims: trailing dimensions of the context of one sample.
        cache_size: 0 or 1, the number of results that are kept.

    Raises:
        TypeError: (when called) the bijector gives a tuple of latents: view the flow as a
            :class:`~flowkit.interop.torch_distributions.FlowDistribution` instead.
        ValueError: (when called) what the bijector raises, or the context's batch shape does not broadcast.

    References:
        J. V. Dillon et al., "TensorFlow Distributions", 2017, sec. 4 (bijectors and their caches).

    Examples:
        >>> from torch.distributions import Independent, Normal, TransformedDistribution
        >>> from flowkit import ActNorm
        >>> layer = ActNorm(2, event_dims=1)
        >>> layer.mark_initialized()
        >>> base = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        >>> density = TransformedDistribution(base, [BijectorTransform(layer, cache_size=1).inv])
        >>> density.log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    bijective = True

    def __init__(
        self, bijector: Bijector[Any, Any], context: Any = None, context_dims: int = 1, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size=cache_size)
        if not isinstance(bijector, Bijector):
            raise TypeError(
                f"BijectorTransform takes a flowkit.Bijector, got {type(bijector).__name__}; "
                "of a flow, FlowDistribution makes a distribution"
            )
        self.bijector = bijector
        self.context = context
        self.context_dims = context_dims
        self._last: _Pair | None = None

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> constraints.Constraint:
        """The bijector's domain, over all of the event."""
        return domain_constraint(self.bijector)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        """The bijector's codomain, over all of the event."""
        return codomain_constraint(self.bijector)

    def with_cache(self, cache_size: int = 1) -> "BijectorTransform":
        """This transform with a cache of another size."""
        if cache_size == self._cache_size:
            return self
        return type(self)(self.bijector, self.context, self.context_dims, cache_size)

    def forward_shape(self, shape: torch.Size) -> torch.Size:
        """The shape of the latents of data of a shape, batch and all."""
        batch, event = self._parts(shape, self.bijector.event_dims)
        return torch.Size((*batch, *self.bijector.output_shape(event)))

    def inverse_shape(self, shape: torch.Size) -> torch.Size:
        """The shape of the data of latents of a shape, batch and all."""
        batch, event = self._parts(shape, self.bijector.latent_event_dims)
        return torch.Size((*batch, *self.bijector.input_shape(event)))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log|det dy/dx|, of the batch shape; computed anew unless ``x`` and ``y`` are the pair that is kept."""
        last = self._usable_pair()
        if last is not None and x is last.x and y is last.y:
            return last.log_det
        return self._run(x, inverse=False)[1]

    def __getstate__(self) -> dict[str, Any]:
        # What is kept belongs to a graph, which cannot be copied.
        state: dict[str, Any] = super().__getstate__()
        return state | {"_last": None}

    # torch's own cache asks for the identity of x or y alone, and would give a sample drawn under no_grad its latent
    # without a graph: both of its entry points are replaced.

    def __call__(self, x: Tensor) -> Tensor:
        """The bijector's ``forward``, or the kept result."""
        last = self._usable_pair()
        return last.y if last is not None and x is last.x else self._call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        last = self._usable_pair()
        return last.x if last is not None and y is last.y else self._inverse(y)

    def _call(self, x: Tensor) -> Tensor:
        y, log_det = self._run(x, inverse=False)
        self._keep(x, y, log_det)
        return y

    def _inverse(self, y: Tensor) -> Tensor:
        x, log_det = self._run(y, inverse=True)
        self._keep(x, y, -log_det)
        return x

    def _keep(self, x: Tensor, y: Tensor, log_det: Tensor) -> None:
        if self._cache_size:
            self._last = _Pair(x, y, log_det, torch.is_grad_enabled())

    def _usable_pair(self) -> _Pair | None:
        """The pair that is kept, unless it was computed in the other grad mode."""
        last = self._last
        return last if last is not None and last.grad_enabled == torch.is_grad_enabled() else None

    def _parts(self, shape: tuple[int, ...], event_dims: int) -> tuple[torch.Size, tuple[int, ...]]:
        """The batch shape of the result for a value of this shape, and the event shape of the value."""
        cut = len(shape) - event_dims
        batch = torch.broadcast_shapes(tuple(shape[:cut]), batch_shape_of(self.context, self.context_dims))
        return batch, tuple(shape[cut:])

    def _run(self, value: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        event_dims = self.bijector.latent_event_dims if inverse else self.bijector.event_dims
        batch, event = self._parts(value.shape, event_dims)
        rows, _ = to_rows(value.expand(*batch, *event), event_dims)
        result, log_det = self._map(rows, context_rows(self.context, self.context_dims, batch), inverse)
        if not isinstance(result, Tensor):
            raise TypeError(
                f"{type(self.bijector).__name__} gives a tuple of latents and a torch transform maps tensors: "
                "view the flow as a FlowDistribution"
            )
        return result.reshape(*batch, *result.shape[1:]), log_det.reshape(batch)

    def _map(self, rows: Tensor, context: Any, inverse: bool) -> tuple[Any, Tensor]:
        """The bijector, with its checks of what it is given."""
        return self.bijector.inverse(rows, context) if inverse else self.bijector(rows, context)


class _OntoSupport(BijectorTransform):
    """A bijector onto a support for samplers, which try numbers that overflow there and turn back."""

    def _map(self, rows: Tensor, context: Any, inverse: bool) -> tuple[Any, Tensor]:
        """The bijector without its checks, as torch's own transforms are."""
        return self.bijector.run(rows, self.bijector.prepare(context), inverse)


def domain_constraint(bijector: Bijector[Any, Any]) -> constraints.Constraint:
    """The constraint of ``torch.distributions`` that a bijector's data keep.

    Args:
        bijector: the bijector.

    Returns:
        The transform's own constraint (a simplex, say) where the data go into a :class:`FromTorchTransform`, that of
        the bijector's :meth:`~flowkit.Bijector.data_support` where it has one, else its domain in exact arithmetic. Its
        ``event_dim`` is the bijector's ``event_dims``.

    Examples:
        >>> from torch.distributions.transforms import StickBreakingTransform
        >>> domain_constraint(FromTorchTransform(StickBreakingTransform().inv))
        Simplex()
    """
    match bijector:
        case Chain() if bijector.parts[0].moves_entries or bijector.parts[0].keeps_lengths:
            constraint = _behind_movers(bijector)
        case Chain():
            constraint = domain_constraint(bijector.parts[0])
        case Inverse():
            constraint = codomain_constraint(bijector.bijector)
        case Wrapper():
            constraint = domain_constraint(bijector.bijector)
        case FromTorchTransform():
            constraint = bijector.transform.domain
        case _:
            support = bijector.data_support()
            if support is None:
                return constraint_of(exact_interval(bijector.domain), bijector.event_dims)
            constraint = support.constraint
            if isinstance(constraint, SupportConstraint):
                latents = bijector.latent_support() or IntervalSupport(bijector.codomain)
                constraint = SupportConstraint(support, bijector if latents.is_everything else None)
            return constraint
    return _over_events(constraint, bijector.event_dims)


def codomain_constraint(bijector: Bijector[Any, Any]) -> constraints.Constraint:
    """The constraint of ``torch.distributions`` that a bijector's latents keep; see :func:`domain_constraint`."""
    match bijector:
        case Chain() if bijector.parts[-1].moves_entries or bijector.parts[-1].keeps_lengths:
            support = bijector.latent_support()
            interval = constraint_of(exact_interval(bijector.codomain), bijector.latent_event_dims)
            constraint = interval if support is None else support.constraint
        case Chain():
            constraint = codomain_constraint(bijector.parts[-1])
        case Inverse():
            constraint = domain_constraint(bijector.bijector)
        case Wrapper():
            constraint = codomain_constraint(bijector.bijector)
        case FromTorchTransform():
            constraint = bijector.transform.codomain
        case _:
            support = bijector.latent_support()
            if support is not None:
                return support.constraint
            return constraint_of(exact_interval(bijector.codomain), bijector.latent_event_dims)
    return _over_events(constraint, bijector.latent_event_dims)


def _behind_movers(chain: Chain) -> constraints.Constraint:
    """What data keep that are moved before anything is done with them."""
    support = chain.data_support()
    if support is None:
        return constraint_of(exact_interval(chain.domain), chain.event_dims)
    latents = chain.latent_support() or IntervalSupport(chain.codomain)
    return SupportConstraint(support, chain if latents.is_everything else None)


def _over_events(constraint: constraints.Constraint, event_dims: int) -> constraints.Constraint:
    missing = event_dims - constraint.event_dim
    return constraints.independent(constraint, missing) if missing else constraint


def _entry_by_entry(support: Support) -> Transform | None:
    """From real numbers onto blocks that are intervals all, as angles beside real numbers; ``None`` for others."""
    if not isinstance(support, ProductSupport):
        return None
    blocks = [part for part in support.supports if isinstance(part, IntervalSupport)]
    if len(blocks) < len(support.supports):
        return None
    onto = [biject_to(constraint_of(exact_interval(block.ends), block.event_dims)) for block in blocks]
    return CatTransform(onto, -1, support.sizes)


def _onto_support(constraint: SupportConstraint) -> Transform:
    """From vectors of real numbers onto a support that torch does not know."""
    if constraint.bijector is not None:
        return _OntoSupport(constraint.bijector).inv
    onto = _entry_by_entry(constraint.support)
    if onto is None:
        raise NotImplementedError(
            f"no map is known from vectors of real numbers onto {constraint.support.description}: samplers that need "
            "one, as NUTS, can't sample there"
        )
    return onto


for registry in (biject_to, transform_to):
    registry.register(SupportConstraint, _onto_support)
