"""The interface of elementwise transforms, and how networks' outputs become their parameters."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from flowkit.bijector import REAL_LINE, Interval
from flowkit.recorded import Recorded

__all__ = ["Transform", "split_parameters"]


class Transform(Recorded, nn.Module, ABC):
    r"""An invertible function of one number, :math:`y = T(x;\, \theta)`, each element having its own parameters.

    Actnorm, coupling, injector and factoring-out differ only in where the parameters come from: the transform is
    written once. ``constrain`` turns a network's unbounded outputs into valid parameters; it is apart from
    ``forward`` so that parameters that depend on the context alone are constrained once.

    Attributes:
        parameters_per_element: how many raw numbers one element needs; 0 for a fixed function.

    References:
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021,
        on the transformers of coupling and autoregressive layers.

    Examples:
        >>> class Triple(Transform):
        ...     parameters_per_element = 0
        ...     def constrain(self, raw):
        ...         return ()
        ...     def forward(self, x, parameters):
        ...         return 3 * x, torch.full_like(x, 3.0).log()
        ...     def inverse(self, y, parameters):
        ...         return y / 3, -torch.full_like(y, 3.0).log()
        >>> Triple()(torch.tensor([2.0]), ())
        (tensor([6.]), tensor([1.0986]))
    """

    parameters_per_element: int

    def domain(self, dtype: torch.dtype) -> Interval:
        """The open interval of the values that ``forward`` takes; the real line unless a subclass says otherwise."""
        return REAL_LINE

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The open interval of the values that ``inverse`` takes; the real line unless a subclass says otherwise."""
        return REAL_LINE

    @abstractmethod
    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Valid parameters from unbounded ones ``... x parameters_per_element``, in float32 at least."""

    @abstractmethod
    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The transformed values and log|dy/dx|, elementwise (the latter broadcastable to ``x``)."""

    @abstractmethod
    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The values before the transform and log|dx/dy|, elementwise."""


def split_parameters(raw: Tensor, count: int, event_dims: int, channels: int | None = None) -> Tensor:
    r"""View a network's output, parameters interleaved along the channels, with the parameters last.

    :math:`r_{c P + p} \mapsto \theta_{c,\ldots,p}` for ``P`` parameters per element.

    Args:
        raw: ``batch x (channels * count) x ...``; channel ``c * count + p`` is parameter ``p`` of channel ``c``.
        count: parameters per element.
        event_dims: the channel dimension is the first of the last ``event_dims`` ones.
        channels: how many channels are to be transformed; ``None`` takes as many as there are.

    Returns:
        ``batch x channels x ... x count``, as :meth:`Transform.constrain` takes it; no copy is made.

    Raises:
        ValueError: ``raw`` has another number of channels than ``channels * count``.

    Examples:
        >>> import torch
        >>> split_parameters(torch.arange(4.0).reshape(1, 4), count=2, event_dims=1)
        tensor([[[0., 1.],
                 [2., 3.]]])
    """
    dim = raw.ndim - event_dims
    # A single channel would broadcast silently against any number of parameters.
    if channels is not None and raw.shape[dim] != channels * count:
        raise ValueError(
            f"the conditioner gave {raw.shape[dim]} channels, {channels * count} are needed: "
            f"{count} parameters for each of {channels} channels"
        )
    return raw.unflatten(dim, (-1, count)).movedim(dim + 1, -1)
