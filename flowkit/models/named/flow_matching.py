"""A continuous flow for vectors that is trained by flow matching."""

from collections.abc import Sequence

from torch import nn

from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.bijectors.ode_solvers import DormandPrince, RungeKutta4
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.time_mlp import TimeMLP

__all__ = ["flow_matching"]


@remembered("flow_matching")
def flow_matching(
    features: int,
    hidden: Sequence[int] = (128, 128, 128),
    context_features: int = 0,
    steps: int | None = None,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""A continuous flow whose field is learned from straight ways between data and latents: flow matching.

    .. math:: \dot y = f(t, y, c), \quad y(0) = x, \quad z = y(1), \qquad
              \log p(x|c) = \log p(z) + \int_0^1 \operatorname{tr}\left(\frac{\partial f}{\partial y}\right) dt

    Train it by :func:`flowkit.losses.conditional_flow_matching`, which solves no equation; ``log_prob`` and ``sample``
    then solve it, with exact traces. It is :func:`~flowkit.ffjord`'s flow with a wider field, and could be trained by
    its likelihood as well.

    Args:
        features: entries of a vector, >= 1.
        hidden: widths of the hidden layers of the field's network, at least one.
        context_features: entries of the context; 0 for an unconditional flow.
        steps: ``None`` for an adaptive solver (Dormand and Prince's, of torchdiffeq: ``pip install
            "flowkit-core[ode]"``); a number, >= 1, for so many equal steps of the classical Runge-Kutta method.
        standardize: data ``batch x features`` whose mean and standard deviation are taken out first, as a fixed
            layer; a :class:`~flowkit.FixedAffine` of your own; ``None`` for data of about mean 0 and variance 1.
        support: what takes the data from where they lie onto vectors of real numbers, a bijector: ``Positive()``,
            ``Box(lower, upper)``, ``StickBreaking()`` and others of ``flowkit.bijectors``; ``None`` for real data.

    Returns:
        A flow over vectors ``batch x features``, its base the standard normal.

    Raises:
        ValueError: a size is too small, or the support does not take the data to vectors of real numbers.
        TypeError: a size is no integer.
        ImportError: ``steps`` is ``None``, and torchdiffeq is not installed.

    References:
        Lipman, Chen, Ben-Hamu, Nickel and Le, "Flow matching for generative modeling", ICLR 2023.

    Examples:
        >>> import torch
        >>> from flowkit.losses import SinkhornTransport, conditional_flow_matching
        >>> flow = flow_matching(2, hidden=(32, 32), steps=10)
        >>> optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)
        >>> for _ in range(3):
        ...     optimizer.zero_grad()
        ...     conditional_flow_matching(flow, torch.randn(64, 2), transport=SinkhornTransport()).backward()
        ...     optimizer.step()
        >>> flow.log_prob(torch.rand(5, 2)).shape, flow.sample(4).shape
        (torch.Size([5]), torch.Size([4, 2]))
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features)
    if steps is not None:
        require_counts(1, steps=steps)
    shape, features = data_shape(features, support), real_features(features, support)
    field = TimeMLP(features, hidden, context_features, nn.SiLU)
    ode = NeuralODE(field, solver=DormandPrince() if steps is None else RungeKutta4(steps))
    return flow_on_support(ode, shape, standardize, support)
