"""FFJORD: a free-form continuous flow for vectors."""

from collections.abc import Sequence

from flowkit.bijectors.chain import Chain
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.bijectors.ode_solvers import DormandPrince, RungeKutta4
from flowkit.bijectors.traces import ExactTrace, HutchinsonTrace
from flowkit.counts import require_counts, require_widths
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize
from flowkit.models.support import SupportBijector, data_shape, flow_on_support, real_features
from flowkit.nn.time_mlp import TimeMLP
from flowkit.transforms.affine import Affine

__all__ = ["ffjord"]


@remembered("ffjord")
def ffjord(
    features: int,
    hidden: Sequence[int] = (64, 64),
    context_features: int = 0,
    exact: bool = True,
    steps: int | None = None,
    standardize: Standardize = None,
    support: SupportBijector = None,
) -> Flow:
    r"""FFJORD: the flow of a learned vector field over a unit of time, after a shift and a scale per feature.

    .. math:: \dot y = f(t, y, c), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = \int_0^1 \operatorname{tr}\left(\frac{\partial f}{\partial y}\right) dt

    After ``eval()`` traces are exact; in training they are exact too, at the cost of a Jacobian per evaluation of the
    field, or Hutchinson's unbiased estimate, whose cost does not grow with the number of features.

    Args:
        features: entries of a vector, >= 1.
        hidden: widths of the hidden layers of the field's network, at least one.
        context_features: entries of the context; 0 for an unconditional flow.
        exact: whether traces are exact in training; else they are estimated.
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
        Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud, "FFJORD: free-form continuous dynamics for scalable
        reversible generative models", ICLR 2019, eqs. 4-8.

    Examples:
        >>> import torch
        >>> flow = ffjord(2, hidden=(16,), steps=5)
        >>> flow.log_prob(torch.rand(5, 2)).shape
        torch.Size([5])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features)
    shape, features = data_shape(features, support), real_features(features, support)
    if steps is not None:
        require_counts(1, steps=steps)
    field = TimeMLP(features, hidden, context_features)
    trace = ExactTrace() if exact else HutchinsonTrace()
    solver = DormandPrince() if steps is None else RungeKutta4(steps)
    chain = Chain([Elementwise(Affine(), (features,)), NeuralODE(field, trace, solver=solver)])
    return flow_on_support(chain, shape, standardize, support)
