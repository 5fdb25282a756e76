"""Transforms and distributions of nflows (Durkan et al. 2020) as flowkit's, and flowkit's as nflows'.

Importing this module needs the extra ``nflows``; nothing else in flowkit imports it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Interval, Shape
from flowkit.constants import WithConstants
from flowkit.distributions.distribution import Distribution
from flowkit.flow import Flow
from flowkit.interop.rows import context_rows, is_several, join_parts, split_parts, to_rows
from flowkit.ops.precision import without_autocast

try:
    import nflows.distributions
    import nflows.flows
    import nflows.transforms
    from nflows.utils.torchutils import repeat_rows, split_leading_dim

    from flowkit.interop import nflows_layout
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'flowkit.interop.nflows needs nflows, which is not installed: pip install "flowkit-core[nflows]"', name="nflows"
    ) from error

__all__ = ["DistributionFromNflows", "DistributionToNflows", "FromNflows", "ToNflows", "flow_to_nflows"]


class FromNflows(Bijector[Any, Any]):
    r"""A transform of nflows as a flowkit bijector; the ``forward`` of both takes data to latents.

    .. math:: (z,\ \log|\det \partial z / \partial x|) = \mathtt{transform}(x, c)

    nflows takes exactly one batch dimension, and a context with as many rows as the input; this view takes any number
    of batch dimensions, and a context that broadcasts. The transform runs outside autocast, in the type of its
    parameters, and the log-determinant is returned in float32 at least. Everything else is up to the transform:
    docs/reference/nflows-findings.md says which of nflows' own transforms keep the contract of a bijector and which do
    not.

    The vector that nflows' multi-scale transform gives becomes the tuple of the levels' latents, as
    :class:`~flowkit.bijectors.multiscale.MultiScale` gives them.

    Args:
        transform: an ``nflows.transforms.Transform``; it keeps its parameters, and trains as a part of this module.
        event_dims: trailing dimensions of one event: 1 for vectors, 3 for images.
        context_dims: trailing dimensions of the context of one sample.

    Raises:
        TypeError: ``transform`` is not one of nflows.
        ValueError: (when called) the transform does not give one log-determinant for each sample, or the context's
            batch shape does not broadcast to the input's.

    References:
        C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "nflows: normalizing flows in PyTorch", 2020.

    Examples:
        >>> from nflows.transforms import LULinear
        >>> bijector = FromNflows(LULinear(3))
        >>> z, log_det = bijector(torch.rand(4, 2, 3))
        >>> z.shape, log_det.shape
        (torch.Size([4, 2, 3]), torch.Size([4, 2]))
    """

    def __init__(self, transform: Any, event_dims: int = 1, context_dims: int = 1) -> None:
        super().__init__()
        if not isinstance(transform, nflows.transforms.Transform):
            raise TypeError(f"FromNflows takes an nflows.transforms.Transform, got a {type(transform).__name__}")
        self.transform = transform
        self.event_dims = event_dims
        self.context_dims = context_dims

    def output_shape(self, shape: Shape) -> Shape:
        """The transform's output shape; the tuple of the levels' shapes for a multi-scale one."""
        return nflows_layout.output_shape(self.transform, shape)

    def input_shape(self, shape: Shape) -> Shape:
        """The inverse of :meth:`output_shape`."""
        return nflows_layout.input_shape(self.transform, shape)

    def domain(self, dtype: torch.dtype) -> Interval:
        """The transform's domain if it is one of nflows' own; the real line for others."""
        return nflows_layout.domain(self.transform)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The transform's codomain if it is one of nflows' own; the real line for others."""
        return nflows_layout.codomain(self.transform)

    def _forward(self, x: Any, prepared: Any) -> tuple[Any, Tensor]:
        return self._run(self.transform, x, prepared, self.output_shape(self._event_shape(x, self.event_dims)))

    def _inverse(self, z: Any, prepared: Any) -> tuple[Any, Tensor]:
        return self._run(self.transform.inverse, z, prepared, self.input_shape(self._event_shape(z, self.event_dims)))

    def _run(self, direction: Callable[..., Any], value: Any, context: Any, result: Shape) -> tuple[Any, Tensor]:
        rows, batch, dtype = _rows_of(value, self.event_dims)
        with without_autocast(rows.device):
            out, log_det = direction(rows, _repeated(context, self.context_dims, batch))
        if log_det.shape != rows.shape[:1]:
            raise ValueError(
                f"{type(self.transform).__name__} gave a log-determinant of shape {tuple(log_det.shape)} "
                f"for {len(rows)} samples: it must be one number for each"
            )
        parts = split_parts(out, result)
        if is_several(result):
            parts = tuple(part.reshape(*batch, *part.shape[1:]) for part in parts)
        else:
            parts = parts.reshape(*batch, *parts.shape[1:])
        return parts, log_det.to(torch.promote_types(dtype, torch.float32)).reshape(batch)


class ToNflows(nflows.transforms.Transform):  # type: ignore[misc]
    r"""A flowkit bijector as a transform of nflows; the ``forward`` of both takes data to latents.

    .. math:: (\mathtt{outputs},\ \mathtt{logabsdet}) = (f(x \mid c),\ \log|\det \partial f / \partial x|)

    It goes wherever nflows takes a transform: in a ``CompositeTransform``, an ``InverseTransform`` or a ``Flow``. A
    tuple of latents becomes one vector for each sample, as nflows' own multi-scale transform gives it.

    Args:
        bijector: the bijector; it trains as a part of this module.
        event_shape: the event shape of the data. Needed only where the data or the latents are a tuple, which
            nflows passes on as one vector.

    Raises:
        TypeError: ``bijector`` is no :class:`~flowkit.Bijector`.
        ValueError: (when called) the input has not exactly one batch dimension, or a tuple is to be joined and
            ``event_shape`` was not given.

    References:
        C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "nflows: normalizing flows in PyTorch", 2020.

    Examples:
        >>> from flowkit import LUConv1x1, Squeeze
        >>> transform = nflows.transforms.CompositeTransform([ToNflows(Squeeze()), ToNflows(LUConv1x1(12))])
        >>> outputs, logabsdet = transform(torch.rand(2, 3, 8, 6))
        >>> outputs.shape, logabsdet.shape
        (torch.Size([2, 12, 4, 3]), torch.Size([2]))
    """

    def __init__(self, bijector: Bijector[Any, Any], event_shape: Shape | None = None) -> None:
        super().__init__()
        if not isinstance(bijector, Bijector):
            raise TypeError(f"ToNflows takes a flowkit.Bijector, got {type(bijector).__name__}")
        self.bijector = bijector
        self.event_shape = event_shape
        self._latent_shape = None if event_shape is None else bijector.output_shape(event_shape)

    def forward(self, inputs: Tensor, context: Any = None) -> tuple[Tensor, Tensor]:
        """Outputs ``N x event`` and log|det|, ``N`` numbers, of inputs ``N x event``."""
        return self._run(self.bijector, inputs, context, self.event_shape, self.bijector.event_dims)

    def inverse(self, inputs: Tensor, context: Any = None) -> tuple[Tensor, Tensor]:
        """The other direction, with its own log|det|; shapes as in ``forward``."""
        dims = self.bijector.latent_event_dims
        return self._run(self.bijector.inverse, inputs, context, self._latent_shape, dims)

    def _run(
        self, direction: Callable[..., Any], inputs: Tensor, context: Any, shape: Shape | None, event_dims: int
    ) -> tuple[Tensor, Tensor]:
        name = type(self.bijector).__name__
        joined = shape is not None and is_several(shape)
        expected = 2 if joined else event_dims + 1
        if inputs.ndim != expected:
            raise ValueError(
                f"nflows' transforms take one batch dimension: {name} is given {expected} dimensions in all, "
                f"got inputs of shape {tuple(inputs.shape)}"
            )
        outputs, log_det = direction(split_parts(inputs, shape) if joined else inputs, context)
        if isinstance(outputs, tuple) and shape is None:
            raise ValueError(f"{name} gives a tuple, which nflows takes as one vector: pass event_shape= to ToNflows")
        return join_parts(outputs), log_det


class DistributionFromNflows(WithConstants, Distribution[Any]):
    r"""A distribution of nflows, a whole ``nflows.flows.Flow`` included, as a flowkit one: :math:`\log p(z \mid l)`.

    The label is what nflows calls the context.
    A tuple of latents is scored as one vector, the form in which nflows has them.

    Args:
        distribution: an ``nflows.distributions.Distribution``; it trains as a part of this module.
        event_dims: trailing dimensions of one event, of each where there is a tuple of latents.
        label_dims: trailing dimensions of the label of one sample.

    Raises:
        TypeError: ``distribution`` is not one of nflows.
        ValueError: (when sampling) a temperature other than 1: a distribution of nflows has no deviation to scale.

    References:
        C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "nflows: normalizing flows in PyTorch", 2020.

    Examples:
        >>> from nflows.distributions import StandardNormal
        >>> base = DistributionFromNflows(StandardNormal([3]))
        >>> base.log_prob(torch.zeros(5, 2, 3)).shape, base.sample(4, (3,)).shape
        (torch.Size([5, 2]), torch.Size([4, 3]))
    """

    _like: Tensor

    takes_label = True

    def __init__(self, distribution: Any, event_dims: int = 1, label_dims: int = 1) -> None:
        super().__init__()
        if not isinstance(distribution, nflows.distributions.Distribution):
            got = type(distribution).__name__
            raise TypeError(f"DistributionFromNflows takes an nflows.distributions.Distribution, got a {got}")
        self.distribution = distribution
        self.event_dims = event_dims
        self.label_dims = label_dims
        # Samples of nflows' normals, and of its flows over them, follow the parameters.
        source = distribution
        while isinstance(source, nflows.flows.Flow):
            source = source._distribution
        normals = nflows.distributions.StandardNormal | nflows.distributions.ConditionalDiagonalNormal
        self.has_rsample = isinstance(source, normals)
        # nflows draws in the default type; samples go to the type and device that this module went to.
        self.register_constant("_like", lambda: torch.zeros(()))

    def _log_prob(self, z: Any, label: Any) -> Tensor:
        rows, batch, dtype = _rows_of(z, self.event_dims)
        log_prob = self.distribution.log_prob(rows, _repeated(label, self.label_dims, batch))
        return log_prob.to(torch.promote_types(dtype, torch.float32)).reshape(batch)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Any:
        """A tensor ``batch x shape``, or a tuple of them for a tuple of shapes.

        nflows draws from PyTorch's global source of randomness. A ``generator`` draws one number, which seeds that
        source for this call; its state is restored afterwards.
        """
        if temperature != 1.0:
            raise ValueError(
                f"temperature is {temperature}; nflows' {type(self.distribution).__name__} draws at 1 alone: "
                "use a distribution of flowkit's for others"
            )
        rows = context_rows(label, self.label_dims, (batch,))
        with _seeded(generator):
            if rows is None:
                drawn = self.distribution.sample(batch)
            elif len(rows) == 1:
                drawn = self.distribution.sample(batch, rows)[0]
            else:
                drawn = self.distribution.sample(1, rows)[:, 0]
        return split_parts(drawn.to(self._like), shape)


class DistributionToNflows(nflows.distributions.Distribution):  # type: ignore[misc]
    r"""A flowkit distribution as one of nflows: :math:`\log p(z \mid l)`, the label being nflows' context.

    Args:
        distribution: the distribution; it trains as a part of this module.
        event_shape: the shape of one event. For a tuple of shapes nflows gives and takes one vector.

    Raises:
        ValueError: (when called) the inputs have another event shape.

    References:
        C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "nflows: normalizing flows in PyTorch", 2020.

    Examples:
        >>> from flowkit import Gaussian
        >>> distribution = DistributionToNflows(Gaussian(3, event_dims=1), (3,))
        >>> distribution.log_prob(torch.zeros(5, 3)).shape, distribution.sample(4).shape
        (torch.Size([5]), torch.Size([4, 3]))
    """

    def __init__(self, distribution: Distribution[Any], event_shape: Shape) -> None:
        super().__init__()
        self.distribution = distribution
        self.event_shape = event_shape

    def _log_prob(self, inputs: Tensor, context: Any) -> Tensor:
        if not is_several(self.event_shape) and tuple(inputs.shape[1:]) != tuple(self.event_shape):
            raise ValueError(
                f"this distribution is one of events of shape {tuple(self.event_shape)}, "
                f"got inputs of shape {tuple(inputs.shape)}"
            )
        return self.distribution.log_prob(split_parts(inputs, self.event_shape), self._label(context))

    def _sample(self, num_samples: int, context: Any) -> Tensor:
        if context is None:
            return join_parts(self.distribution.sample(num_samples, self.event_shape))
        rows = len(context)
        label = self._label(repeat_rows(context, num_samples))
        samples = join_parts(self.distribution.sample(rows * num_samples, self.event_shape, label))
        return split_leading_dim(samples, [rows, num_samples])

    def _label(self, context: Any) -> Any:
        """The label: nflows hands a flow's context to its base as well, whether that takes one or not."""
        return context if self.distribution.takes_label else None


def flow_to_nflows(flow: Flow, event_shape: Shape | None = None) -> Any:
    r"""A flowkit flow as an ``nflows.flows.Flow``: the bijector and the base distribution, each as one of nflows.

    .. math:: \log p(x \mid c) = \log p_Z(f(x \mid c) \mid c) + \log|\det \partial f / \partial x|

    nflows conditions both parts on one context: it is the bijector's context and the base's label.

    Args:
        flow: the flow; its parts are shared, not copied.
        event_shape: event shape of the data; ``None`` for the flow's own.

    Returns:
        The ``nflows.flows.Flow``.

    Raises:
        TypeError: ``flow`` is no :class:`~flowkit.Flow`.
        ValueError: neither ``event_shape`` is given nor the flow has one of its own.

    References:
        C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "nflows: normalizing flows in PyTorch", 2020.

    Examples:
        >>> from flowkit import Flow, LUConv1x1, StandardNormal
        >>> flow = flow_to_nflows(Flow(LUConv1x1(3), StandardNormal(event_dims=3), event_shape=(3, 4, 4)))
        >>> samples, log_prob = flow.sample_and_log_prob(2)
        >>> samples.shape, log_prob.shape
        (torch.Size([2, 3, 4, 4]), torch.Size([2]))
    """
    if not isinstance(flow, Flow):
        raise TypeError(f"flow_to_nflows takes a flowkit.Flow, got {type(flow).__name__}; ToNflows takes a bijector")
    shape = flow.event_shape if event_shape is None else event_shape
    if shape is None:
        raise ValueError("this flow takes data of any shape: say which nflows is to sample, by event_shape=")
    return nflows.flows.Flow(
        ToNflows(flow.bijector, shape), DistributionToNflows(flow.base, flow.bijector.output_shape(shape))
    )


def _rows_of(value: Any, event_dims: int) -> tuple[Tensor, torch.Size, torch.dtype]:
    """The tensor that nflows takes for a value, the batch shape, and the value's floating-point type."""
    if isinstance(value, Tensor):
        rows, batch = to_rows(value, event_dims)
    else:
        several = [to_rows(part, event_dims) for part in value]
        rows, batch = join_parts(tuple(part for part, _ in several)), several[0][1]
    return rows, batch, rows.dtype


def _repeated(context: Any, context_dims: int, batch: torch.Size) -> Any:
    """A context with as many rows as there are samples, as nflows needs."""
    rows = context_rows(context, context_dims, batch)
    return rows.expand(batch.numel(), *rows.shape[1:]) if isinstance(rows, Tensor) else rows


@contextmanager
def _seeded(generator: torch.Generator | None) -> Iterator[None]:
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
