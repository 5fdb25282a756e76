"""Autoregressive layers: each feature transformed by the features before it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Interval, sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.conditioner import prepare_conditioner
from flowkit.bijectors.dependence import require_autoregressive
from flowkit.bijectors.parts import require_transform
from flowkit.half_precision import first_parameter, in_full_precision
from flowkit.nn.masked_mlp import MaskedMLP
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.values import readable
from flowkit.transforms.affine import Affine
from flowkit.transforms.transform import Transform, split_parameters

__all__ = ["InverseAutoregressive", "MaskedAutoregressive"]


class MaskedAutoregressive(ChannelBijector):
    r"""A masked autoregressive layer: each feature is transformed by what a network makes of those before it.

    .. math:: z_i = T(x_i;\, \theta_i(x_{<i}, c)), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_i \log |T'(x_i)|.

    ``forward`` is one pass of the network, whatever the number of features. ``inverse`` finds one feature after
    another: with a conditioner that has ``unroll``, such as :class:`~flowkit.MADE`, at the cost of about one
    pass in many small steps; with :class:`~flowkit.nn.MaskedMLP`, over a graph, by its ``passes``; with any other, by
    ``features`` passes, which are right for any order of dependence.

    It runs outside of autocast: a rounding to half precision would grow from feature to feature, and differ between
    the two directions.

    Args:
        features: entries of the vector, at least 1.
        conditioner: a module from ``batch x features`` (and the context, if there is one) to
            ``parameters_per_element * features`` entries, interleaved, those of a feature depending on the features
            before it alone, in some order; that is checked once, where a context is taken with the first one. It may
            have ``prepare(context)``, as for :class:`~flowkit.Coupling`, and ``unroll(solve, prepared)``, as
            :meth:`~flowkit.MADE.unroll`, which returns false where it declines.
        transform: the elementwise transform; :class:`~flowkit.Affine` by default.

    Raises:
        ValueError: a transform without parameters; a network that is not autoregressive; or (when called) an input, or
            the conditioner's output, of another number of entries.

    References:
        Papamakarios, Pavlakou and Murray, *Masked autoregressive flow for density estimation*, NeurIPS 2017, sec. 3.1.

    Examples:
        >>> from flowkit import MADE
        >>> layer = MaskedAutoregressive(3, MADE(3, 2))
        >>> x = torch.rand(5, 3)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x)
        True
    """

    def __init__(self, features: int, conditioner: nn.Module, transform: Transform | None = None) -> None:
        super().__init__(features, event_dims=1)
        self.conditioner = conditioner
        self.transform = Affine() if transform is None else transform
        require_transform(self.transform, type(self).__name__)
        _require_sizes(conditioner, features, self.transform.parameters_per_element)
        require_autoregressive(conditioner, features, type(self).__name__)
        self._was_looked_at = False

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.codomain(dtype)

    def prepare(self, context: Any) -> Any:
        """What the conditioner computes from the context alone."""
        self._look_at_conditioner(context)
        parameter = first_parameter(self)
        with without_autocast(torch.device("cpu") if parameter is None else parameter.device):
            return prepare_conditioner(self.conditioner, context)

    def _look_at_conditioner(self, context: Any) -> None:
        """Check a network that takes a context, with the first one that there is, for what was checked without."""
        prepares = hasattr(self.conditioner, "prepare")
        if self._was_looked_at or prepares or not isinstance(context, Tensor) or not readable(context):
            return
        if context.ndim > 1 and context.numel() and context.is_floating_point():
            self._was_looked_at = True
            row = context.detach().flatten(0, -2)[:1]
            require_autoregressive(self.conditioner, self.channels, type(self).__name__, row)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._at_once(self.transform, x, prepared)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._one_by_one(self.transform.inverse, z, prepared)

    def _at_once(self, direction: Callable[..., Any], x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        """Parameters from the values that are given."""
        x = at_least_float32(x)
        with without_autocast(x.device):
            y, log_derivative = direction(x, self._parameters_from(x, prepared))
            return y, sum_event(log_derivative, 1, like=x)

    def _one_by_one(self, direction: Callable[..., Any], y: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        """Parameters from the values that are sought."""
        y = at_least_float32(y)
        with without_autocast(y.device):
            unrolled = self._unrolled(direction, y, prepared)
            if unrolled is not None:
                return unrolled
            # After n passes the first n features of the order are right, whatever the others were.
            x = torch.zeros_like(y)
            for _ in range(self._passes()):
                x, log_derivative = direction(y, self._parameters_from(x, prepared))
            return x, sum_event(log_derivative, 1, like=y)

    def _passes(self) -> int:
        """As many as features, which is right for any network, or those that a network over a graph needs."""
        return self.conditioner.passes if isinstance(self.conditioner, MaskedMLP) else self.channels

    def _unrolled(self, direction: Callable[..., Any], y: Tensor, prepared: Any) -> tuple[Tensor, Tensor] | None:
        """The same feature by feature in about one pass; ``None`` where the conditioner does not unroll."""
        unroll = getattr(self.conditioner, "unroll", None)
        if unroll is None:
            return None
        given = y.unbind(-1)
        found, log_derivatives = [given[0]] * self.channels, [given[0]] * self.channels
        count = self.transform.parameters_per_element

        def solve(feature: int, raw: Tensor) -> Tensor:
            parameters = self.transform.constrain(split_parameters(raw, count, 1, 1).squeeze(-2))
            value, log_derivative = direction(given[feature], parameters)
            found[feature] = value
            log_derivatives[feature] = log_derivative.expand_as(given[feature])
            return value

        if not unroll(solve, prepared):
            return None
        return torch.stack(found, -1), sum_event(torch.stack(log_derivatives, -1), 1)

    def _parameters_from(self, x: Tensor, prepared: Any) -> tuple[Tensor, ...]:
        # Rounded to half precision, a feature's error would grow from feature to feature.
        network = in_full_precision(self.conditioner)
        raw = network(x) if prepared is None else network(x, prepared)
        count = self.transform.parameters_per_element
        return self.transform.constrain(split_parameters(raw, count, 1, self.channels))


class InverseAutoregressive(MaskedAutoregressive):
    r"""An inverse autoregressive layer: the two directions of :class:`MaskedAutoregressive` exchanged.

    .. math:: x_i = T(z_i;\, \theta_i(z_{<i}, c)).

    It generates (``inverse``) by one pass of the network; ``forward`` finds one feature after another.

    Args:
        features: entries of the vector, at least 1.
        conditioner: as for :class:`MaskedAutoregressive`.
        transform: the elementwise transform; :class:`~flowkit.Affine` by default.

    Raises:
        ValueError: as for :class:`MaskedAutoregressive`.

    References:
        Kingma et al., *Improving variational inference with inverse autoregressive flow*, NeurIPS 2016, sec. 3-4.

    Examples:
        >>> from flowkit import MADE
        >>> layer = InverseAutoregressive(3, MADE(3, 2))
        >>> z = torch.rand(5, 3)
        >>> x, log_det = layer.inverse(z)
        >>> torch.allclose(layer(x)[0], z)
        True
    """

    def domain(self, dtype: torch.dtype) -> Interval:
        """The codomain of the transform."""
        return self.transform.codomain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The domain of the transform."""
        return self.transform.domain(dtype)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._one_by_one(self.transform.inverse, x, prepared)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return self._at_once(self.transform, z, prepared)


def _require_sizes(conditioner: nn.Module, features: int, parameters: int) -> None:
    """Refuse a MADE, or a network that says its sizes as one does, of other sizes: its inverse would leave some out."""
    for name, needed in (("features", features), ("parameters_per_feature", parameters)):
        own = getattr(conditioner, name, None)
        if isinstance(own, int) and own != needed:
            raise ValueError(f"the {type(conditioner).__name__} has {name}={own}; this layer needs {name}={needed}")
