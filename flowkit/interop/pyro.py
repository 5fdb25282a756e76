"""flowkit's flows and bijectors in Pyro (Bingham et al. 2019).

Importing this module needs the extra ``pyro``; nothing else in flowkit imports it. Pyro's own transforms and
distributions are torch's: :class:`~flowkit.interop.torch_transforms.FromTorchTransform` takes them as they are.
"""

from flowkit.interop import torch_distributions, torch_transforms

try:
    from pyro.distributions.torch_distribution import TorchDistributionMixin
    from pyro.distributions.torch_transform import TransformModule
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'flowkit.interop.pyro needs Pyro, which is not installed: pip install "flowkit-core[pyro]"', name="pyro"
    ) from error

__all__ = ["BaseDistribution", "BijectorTransform", "FlowDistribution"]


class FlowDistribution(torch_distributions.FlowDistribution, TorchDistributionMixin):  # type: ignore[override]
    r"""A flow, :math:`p(x \mid c, l)`, that ``pyro.sample`` takes, in models, in guides and under plates.

    Its parameters are trained like those of every module in Pyro: register them with ``pyro.module("name", flow)``
    in the model or guide, or keep the flow as an attribute of a ``PyroModule``. Arguments and shapes are those of
    :class:`flowkit.interop.torch_distributions.FlowDistribution`.

    Raises:
        ValueError: no event shape is known, or it is not one that the bijector takes.

    References:
        E. Bingham et al., "Pyro: Deep Universal Probabilistic Programming", JMLR 2019.

    Examples:
        >>> import pyro
        >>> from flowkit import Flow, LUConv1x1, StandardNormal
        >>> flow = Flow(LUConv1x1(3), StandardNormal(event_dims=3), event_shape=(3, 4, 4))
        >>> def model():
        ...     pyro.module("flow", flow)
        ...     with pyro.plate("images", 5):
        ...         return pyro.sample("x", FlowDistribution(flow))
        >>> model().shape
        torch.Size([5, 3, 4, 4])
    """


class BaseDistribution(torch_distributions.BaseDistribution, TorchDistributionMixin):  # type: ignore[override]
    r"""A base distribution of flowkit's, :math:`p_Z(z \mid l)`, that ``pyro.sample`` takes.

    Arguments and shapes are those of :class:`flowkit.interop.torch_distributions.BaseDistribution`.

    Raises:
        ValueError: the event shape is one of a tuple of tensors.

    References:
        E. Bingham et al., "Pyro: Deep Universal Probabilistic Programming", JMLR 2019.

    Examples:
        >>> import pyro
        >>> from flowkit import Gaussian
        >>> pyro.sample("z", BaseDistribution(Gaussian(3, event_dims=1), (3,))).shape
        torch.Size([3])
    """


class BijectorTransform(torch_transforms.BijectorTransform, TransformModule):
    r"""A bijector as a transform, :math:`y = f(x \mid c)`, that is a module: Pyro finds its parameters.

    For an ``AutoNormalizingFlow``, say, whose ``init_transform_fn`` makes one. Arguments, shapes and direction are
    those of :class:`flowkit.interop.torch_transforms.BijectorTransform`.

    Raises:
        TypeError: (when called) the bijector gives a tuple of latents.

    References:
        E. Bingham et al., "Pyro: Deep Universal Probabilistic Programming", JMLR 2019.

    Examples:
        >>> from flowkit import LUConv1x1
        >>> len(list(BijectorTransform(LUConv1x1(3)).parameters()))
        3
    """
