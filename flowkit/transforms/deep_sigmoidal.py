"""The deep sigmoidal transform of neural autoregressive flows."""

import math

from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.transforms.mixture import Components, components_of, inverse_logistic_mixture, logistic_mixture
from flowkit.transforms.transform import Transform

__all__ = ["DeepSigmoidal"]

LOGISTIC_VARIANCE = math.pi**2 / 3


class DeepSigmoidal(Transform):
    r"""A small monotonic network of one number, its weights given: the deep sigmoidal flow of NAF.

    .. math:: h_0 = x, \qquad
              h_l = \operatorname{logit}\left(\sum_k w_{lk}\, \sigma(a_{lk} h_{l-1} + b_{lk})\right), \qquad y = h_L

    Each layer is onto the real line and straight far out, so that the whole is invertible everywhere; its inverse is
    found layer by layer by :func:`~flowkit.ops.monotone_root`, bracketed by the layer's units. The raw parameters of
    one number are, layer by layer, ``units`` each for weights (a softmax), log-slopes (within 5 of their start, by a
    hyperbolic tangent) and centres :math:`-b / a`. Where all are zeros the centres are spread out, so that the units
    can become different, and the whole is near the identity.

    Args:
        units: hidden units of a layer, >= 1.
        layers: how many layers, >= 1.

    Raises:
        ValueError: an argument is under 1.

    References:
        Huang, Krueger, Lacoste and Courville, Neural autoregressive flows, 2018, sec. 3.1, eq. 8.

    Examples:
        >>> import torch
        >>> transform = DeepSigmoidal(units=4, layers=2)
        >>> parameters = transform.constrain(torch.randn(3, 24))
        >>> y, log_dydx = transform(torch.tensor([-1.0, 0.0, 50.0]), parameters)
        >>> torch.allclose(transform.inverse(y, parameters)[0], torch.tensor([-1.0, 0.0, 50.0]), atol=1e-4)
        True
    """

    def __init__(self, units: int = 8, layers: int = 2) -> None:
        super().__init__()
        if units < 1 or layers < 1:
            raise ValueError(f"units is {units} and layers is {layers}; both are at least 1")
        self.units = units
        self.layers = layers
        self.parameters_per_element = 3 * units * layers

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Log-weights, log-slopes and shifts ``... x units``, layer by layer, from ``... x (3 units layers)``."""
        layers = [components_of(part, LOGISTIC_VARIANCE) for part in raw.chunk(self.layers, -1)]
        return tuple(parameter for layer in layers for parameter in layer)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        y, total = at_least_float32(x), parameters[0].new_zeros(())
        for layer in _layers(parameters):
            y, log_derivative = logistic_mixture(y, layer)
            total = total + log_derivative
        return y, total

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        x, total = at_least_float32(y), parameters[0].new_zeros(())
        for layer in reversed(_layers(parameters)):
            x, log_derivative = inverse_logistic_mixture(x, layer)
            total = total + log_derivative
        return x, total


def _layers(parameters: tuple[Tensor, ...]) -> list[Components]:
    return [Components(*parameters[start : start + 3]) for start in range(0, len(parameters), 3)]
