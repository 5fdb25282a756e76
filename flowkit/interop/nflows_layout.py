"""Output shapes and domains of nflows' transforms, which nflows itself does not state."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from nflows.transforms import (
    CompositeTransform,
    InverseTransform,
    MaskedPiecewiseCubicAutoregressiveTransform,
    MaskedPiecewiseLinearAutoregressiveTransform,
    MaskedPiecewiseQuadraticAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    MultiscaleCompositeTransform,
    PiecewiseCubicCDF,
    PiecewiseLinearCDF,
    PiecewiseQuadraticCDF,
    PiecewiseRationalQuadraticCDF,
    Sigmoid,
    SqueezeTransform,
    Tanh,
)
from nflows.transforms.coupling import PiecewiseCouplingTransform
from nflows.transforms.nonlinearities import CauchyCDF

from flowkit.bijector import REAL_LINE, Interval, Shape

__all__ = ["codomain", "domain", "input_shape", "output_shape"]

_UNIT: Interval = (0.0, 1.0)

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


class _ByType(Protocol):
    """A function whose first argument's type decides what runs."""

    def __call__(self, transform: Any, *arguments: Any) -> Any: ...

    def register(self, transform_type: type) -> Callable[[F], F]:
        """The decorator that lets a function serve a type and those derived from it."""


def _by_type(default: Function) -> _ByType:
    """As ``functools.singledispatch``, which ``torch.compile`` of torch before 2.9 does not trace."""
    functions: dict[type, Function] = {}

    @wraps(default)
    def dispatched(transform: Any, *arguments: Any) -> Any:
        for transform_type in type(transform).__mro__:
            if transform_type in functions:
                return functions[transform_type](transform, *arguments)
        return default(transform, *arguments)

    def register(transform_type: type) -> Callable[[F], F]:
        def registered(function: F) -> F:
            functions[transform_type] = function
            return function

        return registered

    result = cast(_ByType, dispatched)
    result.register = register  # type: ignore[method-assign]
    return result


@_by_type
def output_shape(transform: Any, shape: Shape) -> Shape:
    """The event shape that an nflows transform gives: its input's, unless it is one of nflows' that change it.

    Register a shape-changing transform of your own with ``@output_shape.register(Own)``.

    Args:
        transform: an nflows transform.
        shape: the input's event shape.

    Returns:
        The output's event shape. The vector that nflows' multi-scale transform gives is described by the tuple of
        the levels' shapes.

    Raises:
        ValueError: the transform does not take events of this shape.

    Examples:
        >>> output_shape(SqueezeTransform(), (3, 8, 6))
        (12, 4, 3)
    """
    return shape


@_by_type
def input_shape(transform: Any, shape: Shape) -> Shape:
    """The event shape that an nflows transform takes to give this one: the inverse of :func:`output_shape`.

    Args:
        transform: an nflows transform.
        shape: the output's event shape.

    Returns:
        The input's event shape.

    Raises:
        ValueError: the transform does not give events of this shape.

    Examples:
        >>> input_shape(SqueezeTransform(), (12, 4, 3))
        (3, 8, 6)
    """
    return shape


@_by_type
def domain(transform: Any) -> Interval:
    """The open interval of the values that an nflows transform's ``forward`` takes.

    Args:
        transform: an nflows transform.

    Returns:
        The ends of the interval.

    Examples:
        >>> domain(InverseTransform(Sigmoid()))
        (0.0, 1.0)
    """
    return REAL_LINE


@_by_type
def codomain(transform: Any) -> Interval:
    """The open interval of the values that an nflows transform's ``inverse`` takes.

    Args:
        transform: an nflows transform.

    Returns:
        The ends of the interval.

    Examples:
        >>> codomain(Tanh())
        (-1.0, 1.0)
    """
    return REAL_LINE


# --- shapes ---------------------------------------------------------------------------------------------------------


@output_shape.register(SqueezeTransform)
def _squeeze_output(transform: Any, shape: Shape) -> Shape:
    channels, height, width = shape
    factor = transform.factor
    if height % factor or width % factor:
        raise ValueError(f"SqueezeTransform({factor}) takes sizes divisible by {factor}, got the event shape {shape}")
    return transform.get_output_shape(channels, height, width)


@input_shape.register(SqueezeTransform)
def _squeeze_input(transform: Any, shape: Shape) -> Shape:
    channels, height, width = shape
    factor = transform.factor
    if channels % factor**2:
        raise ValueError(f"SqueezeTransform({factor}) gives a multiple of {factor**2} channels, got {shape}")
    return channels // factor**2, height * factor, width * factor


@output_shape.register(InverseTransform)
def _inverse_output(transform: Any, shape: Shape) -> Shape:
    return input_shape(transform._transform, shape)


@input_shape.register(InverseTransform)
def _inverse_input(transform: Any, shape: Shape) -> Shape:
    return output_shape(transform._transform, shape)


@output_shape.register(CompositeTransform)
def _composite_output(transform: Any, shape: Shape) -> Shape:
    for part in transform._transforms:
        shape = output_shape(part, shape)
    return shape


@input_shape.register(CompositeTransform)
def _composite_input(transform: Any, shape: Shape) -> Shape:
    for part in reversed(transform._transforms):
        shape = input_shape(part, shape)
    return shape


@output_shape.register(MultiscaleCompositeTransform)
def _multiscale_output(transform: Any, shape: Shape) -> Shape:
    axis = transform._split_dim - 1
    latents = []
    *levels, last = transform._transforms
    for level in levels:
        shape = output_shape(level, shape)
        leaving = (shape[axis] + 1) // 2
        latents.append((*shape[:axis], leaving, *shape[axis + 1 :]))
        shape = (*shape[:axis], shape[axis] - leaving, *shape[axis + 1 :])
    latents.append(output_shape(last, shape))
    _require_latents(transform, tuple(latents))
    return tuple(latents)


@input_shape.register(MultiscaleCompositeTransform)
def _multiscale_input(transform: Any, shape: Shape) -> Shape:
    _require_latents(transform, shape)
    axis = transform._split_dim - 1
    *latents, current = shape
    *levels, last = transform._transforms
    current = input_shape(last, current)
    for level, latent in zip(reversed(levels), reversed(latents), strict=True):
        current = input_shape(level, (*current[:axis], latent[axis] + current[axis], *current[axis + 1 :]))
    return current


def _require_latents(transform: Any, shape: Shape) -> None:
    # nflows fixed the shapes when the levels were added.
    expected = tuple(tuple(latent) for latent in transform._output_shapes)
    if shape != expected:
        raise ValueError(f"MultiscaleCompositeTransform gives latents of the event shapes {expected}, not {shape}")


# --- intervals ------------------------------------------------------------------------------------------------------


@codomain.register(Tanh)
def _tanh_codomain(transform: Any) -> Interval:
    return -1.0, 1.0


@codomain.register(Sigmoid)
@codomain.register(CauchyCDF)
def _cdf_codomain(transform: Any) -> Interval:
    return _UNIT


@domain.register(InverseTransform)
def _inverse_domain(transform: Any) -> Interval:
    return codomain(transform._transform)


@codomain.register(InverseTransform)
def _inverse_codomain(transform: Any) -> Interval:
    return domain(transform._transform)


@domain.register(CompositeTransform)
def _composite_domain(transform: Any) -> Interval:
    return domain(transform._transforms[0])


@codomain.register(CompositeTransform)
def _composite_codomain(transform: Any) -> Interval:
    return codomain(transform._transforms[-1])


@domain.register(MultiscaleCompositeTransform)
def _multiscale_domain(transform: Any) -> Interval:
    return domain(transform._transforms[0])


def _spline_interval(transform: Any) -> Interval:
    # The linear and the cubic autoregressive transform have no tails to choose.
    return _UNIT if getattr(transform, "tails", None) is None else REAL_LINE


for _spline in (
    MaskedPiecewiseCubicAutoregressiveTransform,
    MaskedPiecewiseLinearAutoregressiveTransform,
    MaskedPiecewiseQuadraticAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    PiecewiseCouplingTransform,
    PiecewiseCubicCDF,
    PiecewiseLinearCDF,
    PiecewiseQuadraticCDF,
    PiecewiseRationalQuadraticCDF,
):
    domain.register(_spline)(_spline_interval)
    codomain.register(_spline)(_spline_interval)
