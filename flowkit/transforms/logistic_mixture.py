"""The logistic mixture of Flow++."""

import math

import torch
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.transforms.mixture import Components, components_of, inverse_logistic_mixture, logistic_mixture
from flowkit.transforms.scale import BoundedLogScale
from flowkit.transforms.transform import Transform

__all__ = ["LogisticMixture"]

LOGISTIC_VARIANCE = math.pi**2 / 3


class LogisticMixture(Transform):
    r"""The log-odds of a mixture of logistic distribution functions, then a scale and a shift, as in Flow++.

    .. math:: y = e^{s} \operatorname{logit}\left(\sum_k w_k\, \sigma(a_k (x - \mu_k))\right) + b

    It is onto the real line, straight far out, and smooth; with ``K`` components it can have ``K`` steps. The inverse
    has no closed form: it is :func:`~flowkit.ops.monotone_root`'s, bracketed by the components. The raw parameters of
    one number are ``components`` each for weights (a softmax), log-slopes (within 5 of their start, by a hyperbolic
    tangent) and means, then ``s`` (within 2) and ``b``. Where all are zeros the means are spread out, so that the
    components can become different, and the whole is near the identity.

    Args:
        components: ``K``, >= 1.

    Raises:
        ValueError: ``components`` is under 1.

    References:
        Ho, Chen, Srinivas, Duan and Abbeel, Flow++: improving flow-based generative models with variational
        dequantization and architecture design, 2019, sec. 3.2.

    Examples:
        >>> transform = LogisticMixture(components=4)
        >>> parameters = transform.constrain(torch.randn(3, 14))
        >>> y, log_dydx = transform(torch.tensor([-1.0, 0.0, 50.0]), parameters)
        >>> torch.allclose(transform.inverse(y, parameters)[0], torch.tensor([-1.0, 0.0, 50.0]), atol=1e-4)
        True
    """

    def __init__(self, components: int = 8) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"components is {components}; a mixture needs at least 1")
        self.components = components
        self.scale = BoundedLogScale()
        self.parameters_per_element = 3 * components + 2

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The mixture's three parameters ``... x K``, the log-scale and the shift, from ``... x (3 K + 2)``."""
        raw_components, raw_scale, shift = at_least_float32(raw).split([3 * self.components, 1, 1], -1)
        mixture = components_of(raw_components, LOGISTIC_VARIANCE)
        return *mixture, self.scale(raw_scale).squeeze(-1), shift.squeeze(-1)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        *mixture, log_scale, shift = parameters
        y, log_derivative = logistic_mixture(at_least_float32(x), Components(*mixture))
        return torch.addcmul(shift, y, log_scale.exp()), log_derivative + log_scale

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        *mixture, log_scale, shift = parameters
        inner = (at_least_float32(y) - shift) * (-log_scale).exp()
        x, log_derivative = inverse_logistic_mixture(inner, Components(*mixture))
        return x, log_derivative - log_scale
