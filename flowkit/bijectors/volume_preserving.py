"""The volume-preserving coupling of GIN."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from flowkit.bijectors.coupling import Coupling
from flowkit.transforms.scale_shift import ScaleShift

__all__ = ["VolumePreservingCoupling"]


class VolumePreservingCoupling(Coupling):
    r"""An affine coupling whose log-scales add up to zero: its log-determinant is 0 whatever the data.

    .. math:: z_K = x_K, \qquad z_i = x_i\, e^{s_i - \bar s} + b_i \text{ for } i \notin K, \qquad
              \bar s = \frac{1}{|\bar K|} \sum_{i \notin K} s_i

    with :math:`s` and :math:`b` from :math:`x_K` (and the context), and the mean over all elements that change, of all
    channels and positions. A flow of such layers keeps volumes, so that what makes its latents' scales differ is the
    base distribution alone: general incompressible-flow networks (GIN). The paper sets the last log-scale to minus the
    sum of the others; the mean treats them alike.

    Args:
        channels: number of channels, the first event dimension; at least 2, better so many that two or more change,
            as the only one that changes is shifted alone.
        conditioner: a module from ``x_K`` (and the context, if there is one) to twice as many channels as change,
            interleaved, shift and raw log-scale; as for :class:`~flowkit.Coupling`.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.
        mask: as for :class:`~flowkit.Coupling`.
        scale: a module from the raw scale to the log-scale; :class:`~flowkit.transforms.BoundedLogScale` by default.

    Raises:
        ValueError: as for :class:`~flowkit.Coupling`.

    References:
        Sorrenson, Rother and Köthe, "Disentanglement by nonlinear ICA with general incompressible-flow networks (GIN)",
        ICLR 2020, sec. 3.2.

    Examples:
        >>> import torch
        >>> layer = VolumePreservingCoupling(6, nn.Linear(3, 2 * 3), event_dims=1)
        >>> layer(torch.rand(5, 6))[1].abs().max() < 1e-6
        tensor(True)
    """

    def __init__(
        self,
        channels: int,
        conditioner: nn.Module,
        event_dims: int = 3,
        mask: Sequence[bool] | Tensor | None = None,
        scale: nn.Module | None = None,
    ) -> None:
        super().__init__(channels, conditioner, ScaleShift(scale), event_dims, mask)

    def _parameters_from(self, kept: Tensor, prepared: Any) -> tuple[Tensor, ...]:
        shift, log_scale = super()._parameters_from(kept, prepared)
        return shift, log_scale - log_scale.mean(tuple(range(-self.event_dims, 0)), keepdim=True)
