"""From discrete values to a density: uniform dequantisation."""

import math

import torch
from torch import Tensor, nn

from flowkit.counts import require_counts
from flowkit.naming import named
from flowkit.recorded import Recorded

__all__ = ["UniformDequantization", "require_levels"]


class UniformDequantization(Recorded, nn.Module):
    r"""Add uniform noise as wide as a quantisation step: :math:`v = x + (r - \tfrac12)/n`, :math:`r \sim U[0,1)`.

    :math:`\log P(x) \ge \mathbb E_v[\log p(v) - \log q(v|x)]` with the density of the noise
    :math:`\log q(v|x) = D \log n`.

    Args:
        bins: number of levels ``n`` of values in [0, 1]; 256 for 8 bits, 32 for the 5 bits of SRFlow and DeFlow.
        event_dims: trailing dimensions of one sample: 3 for images, 1 for vectors.

    Raises:
        ValueError: ``bins`` is under 1, or (when called) the data has fewer dimensions than one sample.
        TypeError: (when called) the data are no floating-point tensor.

    References:
        L. Theis, A. van den Oord, M. Bethge, "A note on the evaluation of generative models", ICLR 2016.
        J. Ho, X. Chen, A. Srinivas, Y. Duan, P. Abbeel, "Flow++: Improving Flow-Based Generative Models with
        Variational Dequantization and Architecture Design", ICML 2019.

    Examples:
        >>> v, log_q = UniformDequantization(256)(torch.zeros(2, 3, 4, 4))
        >>> bool(v.abs().max() <= 0.5 / 256), log_q
        (True, tensor([266.1685, 266.1685]))
    """

    def __init__(self, bins: int = 256, event_dims: int = 3) -> None:
        super().__init__()
        require_counts(1, bins=bins)
        require_counts(0, event_dims=event_dims)
        self.bins = bins
        self.event_dims = event_dims

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Dequantise.

        Args:
            x: ``batch x event``, floating point.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            The noisy values and log q(v|x), one number per sample, at least float32.
        """
        require_levels(x, self.bins)
        cut = x.ndim - self.event_dims
        if cut < 0:
            raise ValueError(
                f"expected samples of {self.event_dims} dimensions, got the shape {tuple(x.shape)}: "
                "set event_dims, 1 for vectors"
            )
        device = x.device if generator is None else generator.device
        noise = torch.rand(x.shape, dtype=x.dtype, device=device, generator=generator).to(x.device)
        dtype = torch.promote_types(x.dtype, torch.float32)
        log_q = torch.full(x.shape[:cut], math.prod(x.shape[cut:]) * math.log(self.bins), dtype=dtype, device=x.device)
        return x + (noise - 0.5) / self.bins, log_q


def require_levels(x: Tensor, bins: int) -> None:
    """Refuse levels that are integers: dequantisation takes them as shares of the largest one.

    Args:
        x: the data.
        bins: how many levels there are.

    Raises:
        TypeError: they are no floating-point tensor.

    Examples:
        >>> require_levels(torch.tensor([0.0, 0.5]), 3)
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        what = f"a {x.dtype} tensor" if isinstance(x, Tensor) else named(x)
        raise TypeError(
            f"dequantisation takes floating-point values in [0, 1], got {what}: of levels 0 to {bins - 1}, give "
            f"x / {max(bins - 1, 1)}"
        )
