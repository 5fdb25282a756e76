"""Which latent goes with which datum: optimal transport within a batch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ExactTransport", "SinkhornTransport", "Transport"]


class Transport(ABC):
    r"""A way to choose a latent for each datum of a batch so that the squares of their distances add up to little.

    .. math:: \min_\pi \sum_i \|x_i - z_{\pi(i)}\|^2

    Examples:
        >>> class Sorted(Transport):
        ...     '''The optimum of numbers: the smallest goes with the smallest.'''
        ...     def __call__(self, x, z, generator=None):
        ...         return z.flatten().argsort()[x.flatten().argsort().argsort()]
        >>> Sorted()(torch.tensor([[3.0], [1.0]]), torch.tensor([[0.0], [9.0]]))
        tensor([1, 0])
    """

    @abstractmethod
    def __call__(self, x: Tensor, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """For each datum the index of its latent.

        Args:
            x: data, ``n x event``.
            z: latents, of the same shape.
            generator: source of randomness, for a way that has any; ``None`` for PyTorch's global one.

        Returns:
            ``n`` integers, 0 to ``n - 1``.
        """


@dataclass(frozen=True)
class ExactTransport(Transport):
    """The optimal assignment, each latent used once: SciPy's ``linear_sum_assignment``.

    Its work grows with the cube of the batch; for some hundred samples it is small beside a training step's.

    Raises:
        ImportError: (when called) SciPy is not installed.

    References:
        Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport", TMLR
        2024; Pooladian et al., "Multisample flow matching", ICML 2023; the algorithm: Crouse, "On
        implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and Electronic Systems, 2016.

    Examples:
        >>> ExactTransport()(torch.tensor([[3.0], [1.0]]), torch.tensor([[0.0], [9.0]]))
        tensor([1, 0])
    """

    def __call__(self, x: Tensor, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """For each datum the index of its latent, a permutation."""
        try:
            from scipy.optimize import linear_sum_assignment
        except ImportError as error:
            raise ImportError(
                'ExactTransport needs SciPy: pip install "flowkit-core[ot]", or take SinkhornTransport()'
            ) from error
        _, assigned = linear_sum_assignment(_costs(x, z).cpu().numpy())
        return torch.as_tensor(assigned, device=x.device)


@dataclass(frozen=True)
class SinkhornTransport(Transport):
    r"""The optimal plan under an entropy penalty, from which each datum draws its latent: torch alone, on any device.

    .. math:: \min_\pi \sum_{ij} \pi_{ij} \|x_i - z_j\|^2 + \epsilon \bar c \sum_{ij} \pi_{ij} \log \pi_{ij},
              \qquad \sum_j \pi_{ij} = \sum_i \pi_{ij} = \tfrac1n,

    :math:`\bar c` the mean of the squared distances. A latent may be drawn more than once, or never.

    Args:
        regularisation: :math:`\epsilon`, > 0; towards 0 the plan nears the optimal assignment and takes more
            iterations, far above 1 it pairs independently.
        iterations: of both marginals, >= 1. The data's is exact after the last, the latents' nearly so.

    Raises:
        ValueError: ``regularisation`` is not positive, or ``iterations`` is under 1.

    References:
        Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS 2013; in flow matching:
        Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport", TMLR
        2024.

    Examples:
        >>> SinkhornTransport(0.01)(torch.tensor([[3.0], [1.0]]), torch.tensor([[0.0], [9.0]]))
        tensor([1, 0])
    """

    regularisation: float = 0.05
    iterations: int = 50

    def __post_init__(self) -> None:
        if not self.regularisation > 0 or self.iterations < 1:
            raise ValueError(
                f"regularisation is {self.regularisation} and iterations {self.iterations}; they must be above 0 and "
                "at least 1"
            )

    def __call__(self, x: Tensor, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """For each datum the index of its latent, drawn from its row of the plan."""
        rows = self.plan(x, z)
        device = rows.device if generator is None else generator.device
        return torch.multinomial(rows.to(device), 1, generator=generator).squeeze(-1).to(x.device)

    def plan(self, x: Tensor, z: Tensor) -> Tensor:
        r"""The plan by rows, :math:`n \pi`: for each datum the probabilities of the latents, ``n x n``."""
        costs = _costs(x, z)
        # Where all points are one, any plan is optimal.
        scale = self.regularisation * costs.mean().clamp(min=torch.finfo(costs.dtype).tiny)
        log_kernel = -costs / scale
        log_rows = torch.zeros_like(log_kernel[:, :1])
        for _ in range(self.iterations):
            log_columns = -(log_kernel + log_rows).logsumexp(0, keepdim=True)
            log_rows = -(log_kernel + log_columns).logsumexp(1, keepdim=True)
        return (log_kernel + log_rows + log_columns).exp()


def _costs(x: Tensor, z: Tensor) -> Tensor:
    """The squared distances of all pairs, ``n x n``, in float64: where points are near, differences cancel."""
    return torch.cdist(x.detach().flatten(1).double(), z.detach().flatten(1).double()).square()
