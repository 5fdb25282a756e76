"""PIQE, which needs no model."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.evaluation.metrics.colour import grey_levels
from flowkit_deflow.evaluation.metrics.normalized_contrast import normalized_contrast

__all__ = ["piqe"]

BLOCK = 16
SEGMENT = 6  # pixels of a block's edge
ACTIVE = 0.1  # variance from which on a block is looked at
FLAT = 0.1  # standard deviation below which a segment of an edge is an artefact


def piqe(images: Tensor, references: Tensor | None = None) -> Tensor:
    r"""PIQE: the distortion of an image's active blocks, about 0 for a good image and 100 for the worst.

    .. math:: 100\, \frac{1 + \sum_b (1 - v_b) a_b + v_b n_b}{1 + N}

    over the N blocks of 16 x 16 normalised coefficients with a variance :math:`v_b` above 0.1: :math:`a_b` is 1 for
    blocks with a flat segment on an edge (artefacts of blocks), :math:`n_b` for blocks whose centre is no smoother
    than their surroundings (noise).

    Args:
        images: ``B x 3 x H x W`` in [0, 1].
        references: ignored.

    Returns:
        ``B`` scores, float64.

    References:
        N. Venkatanath, D. Praneeth, M. C. Bh, S. S. Channappayya, S. S. Medasani, "Blind Image Quality Evaluation
        Using Perception Based Features", NCC 2015. Of its programs, this follows MATLAB's.
    """
    grey = grey_levels(images)
    height, width = grey.shape[-2:]
    padded = F.pad(grey, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    coefficients = normalized_contrast(padded, "replicate").coefficients[:, 0]
    blocks = coefficients.unfold(1, BLOCK, BLOCK).unfold(2, BLOCK, BLOCK).flatten(1, 2)
    variance = blocks.flatten(2).var(-1)
    active = variance > ACTIVE
    distortion = (1 - variance) * _has_flat_edge(blocks) + variance * _is_noisy(blocks, variance)
    return 100 * (1 + (distortion * active).sum(1)) / (1 + active.sum(1))


def _has_flat_edge(blocks: Tensor) -> Tensor:
    edges = torch.stack([blocks[..., 0, :], blocks[..., -1, :], blocks[..., :, 0], blocks[..., :, -1]], -2)
    return (edges.unfold(-1, SEGMENT, 1).std(-1) < FLAT).flatten(2).any(-1)


def _is_noisy(blocks: Tensor, variance: Tensor) -> Tensor:
    std = variance.sqrt()
    centre = (BLOCK - 1) // 2
    middle = blocks[..., centre : centre + 2].flatten(2).std(-1)
    # As the published program takes them out: one column and, of those that are left, the next but one to it.
    kept = [column for column in range(BLOCK) if column not in (centre, centre + 2)]
    around = blocks[..., kept].flatten(2).std(-1)
    contrast = torch.where(around > 0, middle / around, 0)
    return std > 2 * (std - contrast).abs() / torch.maximum(std, contrast)
