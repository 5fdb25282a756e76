"""A field whose Gaussians are blended from those of a few classes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from flowkit.ops import at_least_float32, without_autocast
from flowkit_deflow.method.shifts.field import ShiftField
from flowkit_deflow.method.shifts.measure import MeasuredClasses

__all__ = ["BlendedField"]

# Places whose C x C matrices are in memory together, some 5 MB each for 48 channels: with 4096, a tile that is restored
# took over 200 MB more, and no less time.
PLACES_AT_ONCE = 512

# Variances that clean latents may have at a place, as multiples of its classes', and their odds. With these, the mean
# square error grows by under 3 % where latents are Gaussian after all, even of 3 channels; equal ones cost 48 % there.
SCALES = (1.0, 4.0, 16.0)
ODDS = tuple(scale**-3 for scale in SCALES)


class BlendedField(ShiftField):
    r"""At each place, means and square roots of ``K`` classes blended linearly by the place's weights.

    .. math:: \mu_u = \sum_k w_k \mu_k, \qquad M = \sum_k w_k M_k, \qquad
              m = \sum_k w_k m_k, \qquad A = \sum_k w_k A_k

    Clean latents are not standard normal here but have the moments that were measured in the classes.

    The posterior knows one thing more: how strong noise is was measured, and what a photograph shows may be stronger
    than what the measured ones showed. Where degraded latents are larger than clean ones and noise together explain,
    clean ones are scaled, by a Gaussian scale mixture:

    .. math:: z_x = m + \sqrt{s} A \tilde e, \qquad s = E[s' \mid z_y], \qquad s' \in \{1, 4, 16\}
              \text{ with odds } s'^{-3}

    Args:
        weights: ``B x K x H x W``, not negative, adding up to 1 at each place; ``B`` may be 1 for any batch.
        classes: what was measured in the classes.
        scale: ``s``, ``B x 1 x H x W``; 1 everywhere if ``None``.

    References:
        J. Portilla, V. Strela, M. J. Wainwright, E. P. Simoncelli, "Image Denoising Using Scale Mixtures of Gaussians
        in the Wavelet Domain", IEEE Transactions on Image Processing 12, 2003, for the mixture.

    Examples:
        >>> root = torch.tensor([1.0, 3.0]).reshape(2, 1, 1)
        >>> classes = MeasuredClasses(torch.zeros(2, 1), root, torch.zeros(2, 1), torch.ones(2, 1, 1))
        >>> field = BlendedField(torch.full((1, 2, 1, 1), 0.5), classes)
        >>> field.draw(torch.ones(1, 1, 1, 1)).item()
        2.0
    """

    def __init__(self, weights: Tensor, classes: MeasuredClasses, scale: Tensor | None = None) -> None:
        self.classes = MeasuredClasses(*(at_least_float32(part) for part in classes))
        self.weights = weights.to(self.classes.mean)
        self.scale = torch.ones_like(self.weights[:, :1]) if scale is None else scale

    @property
    def mean(self) -> Tensor:
        """``B x C x H x W``."""
        return self._mean(self.classes.mean)

    @property
    def clean_mean(self) -> Tensor:
        """``B x C x H x W``."""
        return self._mean(self.classes.clean_mean)

    def deviation(self, noise: Tensor) -> Tensor:
        """A product for each class, weighted."""
        return self._blend(self.classes.root, noise)

    def clean_deviation(self, noise: Tensor) -> Tensor:
        """A product for each class, weighted."""
        return self.scale.sqrt() * self._blend(self.classes.clean_root, noise)

    def gain(self, z: Tensor) -> Tensor:
        r""":math:`A A^\top (A A^\top + M M^\top)^{-1} z`, by a Cholesky factor at each place."""

        def at_places(weights: Tensor, scale: Tensor, columns: Tensor) -> Tensor:
            clean, shift = self._covariances(weights)
            clean = scale[..., None] * clean
            return (clean @ torch.cholesky_solve(columns[..., None], torch.linalg.cholesky(clean + shift)))[..., 0]

        return _positions(self._in_parts(at_places, self.scale, z), z)

    def posterior_covariance(self) -> Tensor:
        """``B x H x W x C x C``."""

        def at_places(weights: Tensor, scale: Tensor) -> Tensor:
            clean, shift = self._covariances(weights)
            clean = scale[..., None] * clean
            # A A^T (A A^T + M M^T)^-1 M M^T: no difference of almost equal matrices.
            return clean @ torch.cholesky_solve(shift, torch.linalg.cholesky(clean + shift))

        batch, _, *size = self.scale.shape
        return self._in_parts(at_places, self.scale).unflatten(0, (batch, *size))

    def widened_for(self, z_degraded: Tensor) -> "BlendedField":
        """The field with the scale that each place's latents speak for."""
        scales, odds = self.weights.new_tensor([SCALES, ODDS])

        def at_places(weights: Tensor, columns: Tensor) -> Tensor:
            clean, shift = self._covariances(weights)
            log_prob = [_log_normal(columns, torch.linalg.cholesky(scale * clean + shift)) for scale in scales]
            return (torch.stack(log_prob, -1) + odds.log()).softmax(-1) @ scales

        expected = self._in_parts(at_places, z_degraded - self.clean_mean - self.mean)
        return BlendedField(self.weights, self.classes, _positions(expected[:, None], z_degraded))

    def log_prob(self, z_degraded: Tensor) -> Tensor:
        """By a Cholesky factor at each place."""

        def at_places(weights: Tensor, columns: Tensor) -> Tensor:
            shift = _square(_at(weights, self.classes.root))
            eye = torch.eye(shift.shape[-1], dtype=shift.dtype, device=shift.device)
            return _log_normal(columns, torch.linalg.cholesky(eye + shift))

        return self._summed(at_places, z_degraded)

    def log_prob_shift(self, shift: Tensor) -> Tensor:
        """By a triangular factor at each place, which is found without squaring M's condition number."""

        def at_places(weights: Tensor, columns: Tensor) -> Tensor:
            upper = torch.linalg.qr(_at(weights, self.classes.root).mT).R
            signs = upper.diagonal(dim1=-2, dim2=-1).sign()
            return _log_normal(columns, (upper * signs[..., None]).mT)

        return self._summed(at_places, shift)

    def _mean(self, means: Tensor) -> Tensor:
        return torch.einsum("bkhw,kc->bchw", self.weights, means)

    def _blend(self, roots: Tensor, noise: Tensor) -> Tensor:
        columns = noise.flatten(-2)
        weights = self.weights.flatten(-2)
        total = torch.zeros_like(columns)
        for k, root in enumerate(roots):
            total += weights[:, k : k + 1] * (root @ columns)
        return total.unflatten(-1, noise.shape[-2:])

    def _covariances(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Of the clean latents, as measured, and of the shift."""
        return _square(_at(weights, self.classes.clean_root)), _square(_at(weights, self.classes.root))

    def _summed(self, log_prob: Callable[[Tensor, Tensor], Tensor], values: Tensor) -> Tensor:
        with without_autocast(values.device):
            deviations = at_least_float32(values) - self.mean
            return self._in_parts(log_prob, deviations).unflatten(0, (len(values), *values.shape[-2:])).sum((1, 2))

    def _in_parts(self, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """The function of every place's weights and values, for some hundred places at a time.

        Weights are ``P x K`` there, values ``P x C``; the last values have the whole batch.
        """
        at_all = (part.expand(len(values[-1]), -1, -1, -1) for part in (self.weights, *values))
        parts = zip(*(_rows(part).split(PLACES_AT_ONCE) for part in at_all), strict=True)
        return torch.cat([function(*part) for part in parts])


def _rows(values: Tensor) -> Tensor:
    """``B x C x H x W`` to ``BHW x C``."""
    return values.movedim(1, -1).flatten(0, -2)


def _positions(rows: Tensor, like: Tensor) -> Tensor:
    """``BHW x C`` to ``B x C x H x W``."""
    batch, _, *size = like.shape
    return rows.unflatten(0, (batch, *size)).movedim(-1, 1)


def _at(weights: Tensor, roots: Tensor) -> Tensor:
    """Blended roots, ``P x C x C``."""
    return (weights @ roots.flatten(1)).unflatten(-1, roots.shape[1:])


def _square(root: Tensor) -> Tensor:
    return root @ root.mT


def _log_normal(deviations: Tensor, cholesky: Tensor) -> Tensor:
    """Log-density of normals ``P x C`` with one Cholesky factor each."""
    white = torch.linalg.solve_triangular(cholesky, deviations[..., None], upper=False)[..., 0]
    log_det = cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * white.square().sum(-1) - log_det - 0.5 * deviations.shape[-1] * math.log(2 * math.pi)
