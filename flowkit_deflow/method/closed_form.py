"""The one-dimensional Gaussian case in closed form (appendices A and B of the paper)."""

import math
from typing import NamedTuple

__all__ = ["ClosedForm", "closed_form_1d"]


class ClosedForm(NamedTuple):
    r"""The optimal one-layer DeFlow of Gaussian X and Y: :math:`f(x) = a x + b`, :math:`u \sim N(\mu_u, \sigma_u^2)`.

    Attributes:
        scale: ``a`` of the flow, a scalar > 0.
        shift: ``b`` of the flow.
        u_mean: mean of the latent shift.
        u_std: standard deviation of the latent shift, >= 0.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        appendices A and B.

    Examples:
        >>> closed_form_1d(0.0, 1.0, 2.0, 1.0)
        ClosedForm(scale=1.0, shift=-0.0, u_mean=2.0, u_std=0.0)
    """

    scale: float
    shift: float
    u_mean: float
    u_std: float

    @property
    def degraded_mean_offset(self) -> float:
        """E[y - x | x] of the learned p(y|x), the same for every x."""
        return self.u_mean / self.scale

    @property
    def degraded_std(self) -> float:
        """Standard deviation of the learned p(y|x)."""
        return self.u_std / self.scale


def closed_form_1d(mean_x: float, std_x: float, mean_y: float, std_y: float) -> ClosedForm:
    r"""The DeFlow that maximises both marginal likelihoods of Gaussian :math:`x` and :math:`y` in one dimension.

    With :math:`z = a x + b`, :math:`z_x \sim N(0, 1)` and :math:`z_y \sim N(\mu_u, 1 + \sigma_u^2)`:

    .. math:: \sigma_y \ge \sigma_x:\quad a = \frac{1}{\sigma_x},\quad
              \sigma_u^2 = \frac{\sigma_y^2 - \sigma_x^2}{\sigma_x^2}
    .. math:: \sigma_y < \sigma_x:\quad a = \sqrt{\frac{2}{\sigma_x^2 + \sigma_y^2}},\quad \sigma_u = 0

    and in both cases :math:`b = -a \mu_x`, :math:`\mu_u = a (\mu_y - \mu_x)`. In the first case the learned p(y|x) is
    :math:`N(x + \mu_y - \mu_x,\ \sigma_y^2 - \sigma_x^2)`. In the second, noise cannot take variance away: the flow
    meets the two domains half-way.

    Args:
        mean_x: mean of the clean domain.
        std_x: its standard deviation, > 0.
        mean_y: mean of the degraded domain.
        std_y: its standard deviation, > 0.

    Returns:
        The optimum.

    Raises:
        ValueError: a standard deviation is not positive.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        appendices A and B.

    Examples:
        >>> optimum = closed_form_1d(0.0, 3.0, 1.0, 5.0)
        >>> optimum.degraded_mean_offset, optimum.degraded_std
        (1.0, 4.0)
    """
    if std_x <= 0 or std_y <= 0:
        raise ValueError(f"standard deviations are {std_x} and {std_y}; expected positive ones")
    if std_y >= std_x:
        scale = 1 / std_x
        u_std = math.sqrt((std_y - std_x) * (std_y + std_x)) / std_x
    else:
        scale = math.sqrt(2 / (std_x**2 + std_y**2))
        u_std = 0.0
    return ClosedForm(scale, -scale * mean_x, scale * (mean_y - mean_x), u_std)
