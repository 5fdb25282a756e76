"""DeFlow without a network: linear and Gaussian, solved in closed form in each class of places."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample

__all__ = ["LinearDeFlow"]

BLOCK = 4  # pixels: what a flow of two levels gives one latent to
VALUES = 3 * BLOCK**2  # of a block
NEIGHBOURHOOD = 5  # pixels of h to a side, of which a block is predicted
# Classes of brightness times classes of contrast: as many as the images give enough places to.
CLASSES = ((6, 3), (3, 2), (1, 1))
PLACES_PER_FEATURE = 8  # that a class of a domain has on average
PLACES_PER_IMAGE = 1500
DEQUANTIZATION = 1 / (12 * 32**2)  # variance of uniform noise of 5 bits
RIDGE = 1e-6  # variance of h that the regression takes for noise: a quarter of a grey level
CONTRAST_FLOOR = 0.01  # standard deviation in h below which one flat place is like another
KINDS = (6, 5)  # of blocks by brightness and by contrast, for a divergence
FAINT = 0.5 / 255  # standard deviation of noise that nobody sees: a divergence takes no notice of less


class _Places(NamedTuple):
    """Pixels of h with what lies around and under them: ``neighbours`` N x F, ``blocks`` N x P x 48, ``look`` N x 2."""

    neighbours: Tensor
    blocks: Tensor
    look: Tensor


class LinearDeFlow:
    r"""What DeFlow comes to if every flow that is linear in a class of places can be learnt.

    A block :math:`b` of 4 x 4 pixels is predicted from the 5 x 5 pixels of h about it, by one linear map :math:`B_c`
    for both domains in each class :math:`c` of places (6 of brightness times 3 of contrast, both read off h; fewer
    where there are few places). What is left is Gaussian, with covariances :math:`V_x(c)` and :math:`V_y(c)`; what is
    generated is the difference,

    .. math:: \Sigma(c) = L_c \left(L_c^{-1} V_y(c) L_c^{-T} - I\right)_+ L_c^T, \qquad V_x(c) = L_c L_c^T,

    its negative part left out. It has the weaknesses of the method and none of training: noise that h holds too is
    predicted and lacks in the difference, and what differs in the scenes is generated along with the noise, the more
    the less of a picture h determines.

    Args:
        clean: clean images, 3 x H x W in [0, 1], sides of at least 5 factor.
        degraded: degraded images of other scenes.
        factor: that of h, a multiple of 4.
        h_noise: standard deviation of the noise in h.
        seed: of that noise and of the choice of places.

    Attributes:
        covariance: :math:`\Sigma(c)` of the blocks' values, classes x 48 x 48; the order within a block is channel,
            row, column.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021, eqs. 2 and 4, for flows of any form.

    Examples:
        >>> def flat(seed, std):
        ...     return 0.5 + std * torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(seed))
        >>> model = LinearDeFlow([flat(i, 0.02) for i in range(9)], [flat(i, 0.05) for i in range(9, 18)], 8, 0.03)
        >>> variance = model.covariance.diagonal(dim1=1, dim2=2).mean().item()
        >>> bool(abs(variance / (0.05**2 - 0.02**2) - 1) < 0.1)
        True
    """

    def __init__(
        self, clean: Sequence[Tensor], degraded: Sequence[Tensor], factor: int, h_noise: float, seed: int = 0
    ) -> None:
        self.factor = factor
        self.h_noise = h_noise
        self.seed = seed
        domains = [
            _joined([self._places(image, f"{name} {index}", image) for index, image in enumerate(images)])
            for name, images in (("clean", clean), ("degraded", degraded))
        ]
        looks = torch.cat([places.look for places in domains])
        enough = min(len(places.look) for places in domains) / (PLACES_PER_FEATURE * domains[0].neighbours.shape[1])
        brightness, contrast = next((pair for pair in CLASSES if pair[0] * pair[1] <= enough), CLASSES[-1])
        self._edges = _quantile_edges(looks[:, 0], brightness), _quantile_edges(looks[:, 1], contrast)
        members = [_classes(places.look, self._edges) for places in domains]
        self.covariance = torch.stack(
            [
                _generated(
                    *(
                        _Places(*(part[member == index] for part in places))
                        for places, member in zip(domains, members, strict=True)
                    )
                )
                for index in range(brightness * contrast)
            ]
        )

    @property
    def overall_std(self) -> float:
        """Standard deviation of what is generated, over all classes, in [0, 1] units."""
        return self.covariance.diagonal(dim1=1, dim2=2).mean().sqrt().item()

    def divergence(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
        r"""How far the strength of what is generated is from the true noise's, in nats per value.

        .. math:: \sum_k w_k\, \tfrac12 \left(t_k / g_k - 1 - \ln(t_k / g_k)\right)

        with t the variance of the true noise and g that of the generated one in blocks of the kind k (6 of brightness
        times 5 of the clean block's own contrast) and w the share of these: the divergence of Gaussians,
        KL(true | generated), given brightness and texture.

        Args:
            pairs: clean images and the same ones degraded.
        """
        pictures, noises, variances = [], [], []
        for index, (clean, degraded) in enumerate(pairs):
            places = self._places(clean, f"pair {index}", clean)
            pictures.append(places.blocks.flatten(0, 1))
            noises.append(self._places(clean, f"pair {index}", degraded - clean).blocks.flatten(0, 1))
            generated = self.covariance.diagonal(dim1=1, dim2=2).mean(1)[_classes(places.look, self._edges)]
            variances.append(generated.repeat_interleave(places.blocks.shape[1]))
        picture, true = torch.cat(pictures), torch.cat(noises).square().mean(1).double()
        look = torch.stack([picture.mean(1), picture.std(1)], 1)
        kind = _classes(look, tuple(_quantile_edges(look[:, i], number) for i, number in enumerate(KINDS)))
        count = torch.bincount(kind, minlength=KINDS[0] * KINDS[1]).double()
        t, g = (torch.bincount(kind, part, len(count)) / count for part in (true, torch.cat(variances)))
        ratio = (t + FAINT**2) / (g + FAINT**2)
        return (count * (ratio - 1 - ratio.log())).nansum().item() / (2 * count.sum().item())

    def _places(self, image: Tensor, key: str, under: Tensor) -> _Places:
        """Random places of an image, with the blocks of ``under`` (the image itself, or its noise)."""
        factor, generator = self.factor, seeded_generator(self.seed, "linear", key)
        height, width = (size // factor for size in image.shape[1:])
        image, under = (part[:, : height * factor, : width * factor] for part in (image, under))
        h = bicubic_downsample(image, factor)
        h = h + self.h_noise * torch.randn(h.shape, generator=generator)
        chosen = torch.randperm(height * width, generator=generator)[:PLACES_PER_IMAGE]
        reach = NEIGHBOURHOOD // 2
        neighbours = F.unfold(F.pad(h[None], (reach,) * 4, mode="replicate"), NEIGHBOURHOOD)[0].T[chosen]
        neighbours = torch.cat([neighbours, torch.ones(len(chosen), 1)], 1)
        inner = factor // BLOCK
        blocks = under.reshape(3, height, inner, BLOCK, width, inner, BLOCK).permute(1, 4, 2, 5, 0, 3, 6)
        blocks = blocks.reshape(height * width, inner**2, VALUES)[chosen]
        return _Places(neighbours, blocks, _look(h)[chosen])


def _joined(parts: Sequence[_Places]) -> _Places:
    return _Places(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _look(h: Tensor) -> Tensor:
    """Brightness and logarithm of the contrast in 3 x 3 pixels of h, (H W) x 2."""
    grey = h.mean(0, keepdim=True)
    mean, square = (F.avg_pool2d(part, 3, 1, 1, count_include_pad=False) for part in (grey, grey.square()))
    contrast = 0.5 * ((square - mean.square()).clamp_min(0) + CONTRAST_FLOOR**2).log()
    return torch.cat([mean, contrast]).flatten(1).T


def _classes(look: Tensor, edges: tuple[Tensor, ...]) -> Tensor:
    """The class of each place, by its brightness and its contrast."""
    first, second = (torch.bucketize(look[:, index].contiguous(), edges[index]) for index in (0, 1))
    return first * (len(edges[1]) + 1) + second


def _quantile_edges(values: Tensor, classes: int) -> Tensor:
    ranks = torch.linspace(0, len(values) - 1, classes + 1)[1:-1].long()
    return values.sort().values[ranks].contiguous()


def _generated(clean: _Places, degraded: _Places) -> Tensor:
    """The covariance that is generated in one class of places; zero where a domain has too few of them."""
    features = clean.neighbours.shape[1]
    if min(len(clean.blocks), len(degraded.blocks)) <= 2 * features:
        return torch.zeros(VALUES, VALUES, dtype=torch.float64)
    normal = RIDGE * torch.eye(features, dtype=torch.float64)
    moments = torch.zeros(features, clean.blocks[0].numel(), dtype=torch.float64)
    for places in (clean, degraded):
        # Both domains weigh alike, however many images they have.
        normal += (places.neighbours.T @ places.neighbours).double() / len(places.neighbours)
        moments += (places.neighbours.T @ places.blocks.flatten(1)).double() / len(places.neighbours)
    prediction = torch.linalg.solve(normal, moments).float()
    covariances = []
    for places in (clean, degraded):
        left = (places.blocks.flatten(1) - places.neighbours @ prediction).view(-1, VALUES)
        freedom = len(left) * (1 - features / (2 * len(places.neighbours)))
        covariances.append((left.T @ left).double() / freedom + DEQUANTIZATION * torch.eye(VALUES, dtype=torch.float64))
    cholesky = torch.linalg.cholesky(covariances[0])
    whitened = torch.linalg.solve_triangular(cholesky, covariances[1], upper=False)
    whitened = torch.linalg.solve_triangular(cholesky, whitened.mT, upper=False)
    values, vectors = torch.linalg.eigh(whitened - torch.eye(VALUES, dtype=torch.float64))
    root = (cholesky @ vectors) * values.clamp_min(0).sqrt()
    return root @ root.T
