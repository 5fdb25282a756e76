"""The invertible residual block."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector
from flowkit.bijectors.conditioner import prepare_conditioner
from flowkit.bijectors.jacobian import jacobian, out_of_inference_mode
from flowkit.bijectors.residual_log_det import ExactLogDet, ResidualLogDet
from flowkit.counts import require_counts
from flowkit.half_precision import in_full_precision
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.values import readable

__all__ = ["Residual"]

# Newton's step, and so many less one halvings of it: where slopes lie between 1 - k and 1 + k, a step that is shortened
# by (1 - k) / (1 + k), which is 1 / 199 for k = 0.99, cannot go too far.
TRIALS = 9
# Of the latent's length, this many times the dtype's rounding is no error: values are sums of numbers of that size.
ROUNDING = 2


class Residual(Bijector[Tensor, Tensor]):
    r"""An invertible residual block: :math:`z = x + g(x, c)`, where ``g`` is a contraction in ``x``.

    The inverse is the root of :math:`F(x) = x + g(x) - z`, found from ``z`` by Newton's method,
    :math:`x - t\, (I + J_g)^{-1} F(x)`, where each sample takes the ``t`` among 1, 1/2, 1/4 to 1/256 that leaves the
    least of ``F``: near the root each step doubles the digits, and far from it none goes astray, as full steps do where
    the slope changes quickly. The usual iteration, :math:`z - g(x)`, gains only a factor of ``g``'s
    Lipschitz constant per step: 756 steps for 1e-10 at 0.97. The gradients are those of the root (the implicit
    function theorem), not of the steps.

    The log-determinant :math:`\log\det(I + J_g)` is found by a strategy, **in training mode only**: after
    ``eval()`` it is exact whatever the strategy, so that results are repeatable and densities are densities.

    The inverse and the exact log-determinant take the full Jacobian: ``D`` backward passes at once and a ``D x D``
    matrix per sample, for events of ``D`` numbers. Only first derivatives of the inverse are right. Derivatives are
    taken by ``torch.func``, which refuses hooks on saved tensors: to store less for the backward pass take
    :class:`~flowkit.Checkpointed`; ``torch.utils.checkpoint`` around this layer has to be the reentrant kind.

    Args:
        network: ``g``, a module from ``x`` (and the context, if there is one) to the same shape, with a Lipschitz
            constant below 1 in ``x``: :class:`~flowkit.nn.LipschitzMLP` has it by construction, and for images
            :class:`~flowkit.nn.LipschitzConvNet`. One that has
            ``prepare(context)`` gets that method's result in place of the context, computed once per call.
        log_det: the strategy used in training; :class:`~flowkit.bijectors.residual_log_det.ExactLogDet` by default.
        event_dims: 1 for vectors, 3 for images.
        iterations: how many steps the inverse makes at most, at least 1; it ends when ``F`` is rounding error for all
            samples. Trained networks need 4 in float64; the hardest of hundreds that were made to bend sharply needed
            8, and 11 at a constant of 0.99.

    Raises:
        ValueError: fewer than one step; or, when called, the network's result has another shape than its input.

    References:
        Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen, "Invertible Residual Networks", ICML 2019, section 2 and
        theorem 1; Chen, Behrmann, Duvenaud and Jacobsen, "Residual Flows for Invertible Generative Modeling",
        NeurIPS 2019.

    Examples:
        >>> from flowkit.nn.lipschitz import LipschitzMLP
        >>> layer = Residual(LipschitzMLP(2, hidden=(16, 16)))
        >>> x = torch.rand(5, 2)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    takes_derivatives = True

    def __init__(
        self, network: nn.Module, log_det: ResidualLogDet | None = None, event_dims: int = 1, iterations: int = 10
    ) -> None:
        super().__init__()
        if iterations < 1:
            raise ValueError(f"iterations is {iterations}; the inverse needs at least 1")
        self.network = network
        self.log_det = ExactLogDet() if log_det is None else log_det
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims
        self.iterations = iterations

    def prepare(self, context: Any) -> Any:
        """What the network computes from the context, and from its parameters, alone."""
        return prepare_conditioner(self.network, context)

    def branch(self, context: Any = None) -> "_Branch":
        """The contraction ``g`` as a function of ``x`` alone, as the log-determinant strategies take it.

        Args:
            context: what ``forward`` would be given.

        Returns:
            A function from ``batch x event`` to the same shape.

        Examples:
            >>> from flowkit.bijectors.residual_log_det import RussianRouletteLogDet
            >>> from flowkit.nn.lipschitz import LipschitzMLP
            >>> layer = Residual(LipschitzMLP(2, hidden=(16, 16)))
            >>> RussianRouletteLogDet().estimate(layer.branch(), torch.rand(5, 2)).variance.shape
            torch.Size([5])
        """
        return _Branch(self.network, out_of_inference_mode(self.prepare, context))

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return out_of_inference_mode(self._normalized, x, prepared)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return out_of_inference_mode(self._generated, z, prepared)

    def _normalized(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = at_least_float32(x)
        with without_autocast(x.device):
            value, log_det = self._strategy()(_Branch(self.network, prepared), x, self.event_dims)
            return x + value, log_det

    def _generated(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = at_least_float32(z)
        with without_autocast(z.device):
            branch = _Branch(self.network, prepared)
            with torch.no_grad():
                root, slope = self._root(branch, z)
            if not (self.training or torch.is_grad_enabled()):
                return root, -torch.linalg.slogdet(slope).logabsdet
            # From a root and a slope that are constants, one more step has the derivatives of the root with respect
            # to the latent, the context and the parameters alike.
            root, slope = root.detach(), slope.detach()
            x = root - _solve(slope, root + branch(root) - z, self.event_dims)
            return x, -self._strategy()(branch, x, self.event_dims)[1]

    def _strategy(self) -> ResidualLogDet:
        return self.log_det if self.training else ExactLogDet()

    def _root(self, branch: "_Branch", z: Tensor) -> tuple[Tensor, Tensor]:
        """The root, and ``I + J_g`` there."""
        x = z
        for _ in range(self.iterations):
            value, slope = self._value_and_slope(branch, x)
            excess = x + value - z
            rounding = ROUNDING * torch.finfo(x.dtype).eps * self._norm(z)
            if readable(excess) and bool((self._norm(excess) <= rounding).all()):
                return x, slope
            newton = _solve(slope, excess, self.event_dims)
            trials = torch.stack([x - newton / 2**halvings for halvings in range(TRIALS)])
            left = self._norm(trials + branch(trials) - z)
            x = torch.take_along_dim(trials, left.argmin(0, keepdim=True), dim=0).squeeze(0)
        return x, self._value_and_slope(branch, x)[1]

    def _value_and_slope(self, branch: "_Branch", x: Tensor) -> tuple[Tensor, Tensor]:
        value, matrix = jacobian(branch, x, self.event_dims)
        return value, matrix + torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)

    def _norm(self, x: Tensor) -> Tensor:
        """The length of each event, with dimensions of size one in place of the event's."""
        return torch.linalg.vector_norm(x, dim=tuple(range(-self.event_dims, 0)), keepdim=True)


class _Branch:
    """A network with its context: a function of the data alone."""

    def __init__(self, network: nn.Module, prepared: Any) -> None:
        self.prepared = prepared
        # Rounded to half precision, it would be no contraction, and its inverse would have no root to be found.
        self._call = in_full_precision(network)

    def __call__(self, x: Tensor) -> Tensor:
        value = self._call(x) if self.prepared is None else self._call(x, self.prepared)
        # A context of more samples than the data would silently multiply them.
        if value.shape != x.shape:
            raise ValueError(f"the network gave the shape {tuple(value.shape)} for data of shape {tuple(x.shape)}")
        return value


def _solve(matrix: Tensor, x: Tensor, event_dims: int) -> Tensor:
    flat = x.flatten(x.ndim - event_dims).unsqueeze(-1)
    return torch.linalg.solve(matrix, flat).reshape(x.shape)
