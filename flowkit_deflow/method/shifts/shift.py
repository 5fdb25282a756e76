"""The face of all shifts between the domains' latents."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from flowkit_deflow.method.shifts.field import ShiftField

__all__ = ["DomainShift", "positive_start"]


class DomainShift(nn.Module, ABC):
    r"""The shift of one level's latents between the domains: a Gaussian at every position, which h may decide.

    .. math:: u = \mu_u(h) + M(h) \tilde u, \qquad \tilde u \sim N(0, I)

    In the paper :math:`\mu_u` and :math:`M` are constants. Noise that depends on brightness needs more.

    Args:
        channels: channels ``C`` of the level's latents.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2 and 3.

    Examples:
        >>> import torch
        >>> from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
        >>> shift = UncorrelatedShift(2, start=0.5)
        >>> shift.at(None, (1, 1)).draw(torch.ones(1, 2, 1, 1)).detach().flatten()
        tensor([0.5000, 0.5000])
    """

    mean: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    @property
    @abstractmethod
    def factor(self) -> Tensor:
        """The factor ``M`` of the covariance, ``C x C``; for a shift that h decides, what it is without h."""

    @abstractmethod
    def at(self, h: Tensor | None, size: tuple[int, int]) -> ShiftField:
        """The shift at the places of h.

        Args:
            h: what the flow is conditioned on, ``B x 3 x H/factor x W/factor``; ``None`` without conditioning.
            size: height and width of the level's latents.

        Returns:
            The Gaussian at every position of the latents.

        Raises:
            ValueError: the shift depends on h, and there is none.
        """

    def scored_at(self, h: Tensor | None, size: tuple[int, int]) -> ShiftField:
        """The shift that the training likelihood assumes; another than :meth:`at` if the shift is measured later."""
        return self.at(h, size)


def positive_start(start: float) -> float:
    """The start of a shift's deviation, checked.

    Raises:
        ValueError: it is not positive.

    Examples:
        >>> positive_start(0.01)
        0.01
    """
    if start <= 0:
        raise ValueError(f"the shift's start is {start}; at 0 the gradient of M vanishes: use a small positive number")
    return start
