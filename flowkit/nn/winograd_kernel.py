"""Winograd's 3x3 convolution of images that come as tiles."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from flowkit.nn.kernel import require_3x3
from flowkit.nn.winograd import kernel_tiles
from flowkit.nn.winograd_blocks import as_blocks
from flowkit.nn.winograd_matrices import ONES, PATCH, TILE, matrices

__all__ = ["WinogradKernel", "halves"]

SCRATCH = 2**23
"""Products that are in memory at a time, 32 MiB in float32."""

SCRATCH_BACKWARD = 2**25
"""Those of the backward pass: the gradients of several parts have to be joined, which takes longer than it saves."""

MANY = 500
"""For so many tiles a kernel is transformed anew: a hundredth of the work, and no memory between calls."""


class WinogradKernel:
    r"""3x3 convolutions with a padding of 1, :math:`w_i * x + b_i`, of an image that comes as tiles.

    .. math:: y_i = A^\top \Bigl[ \sum_c (G\, w_{ic}\, G^\top) \odot (B^\top p_c\, B) \Bigr] A + b_i

    for each patch :math:`p` of the image: 36 multiplications for 16 numbers of the result, in place of 144. The image's
    part :math:`B^\top p\, B` is the same for all kernels, and the sum over channels is a matrix product for each of the
    36 places; channels that stand for enlarged images are in the sums of the first 25 or 9 places only.

    Several kernels share the products, which is faster than products for each, and make an image each.

    Args:
        weights: ``N_i x C x 3 x 3``; at least one.
        biases: ``N_i`` numbers, or ``None``, for each.

    Raises:
        ValueError: a kernel is not 3x3.

    References:
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4.
        B. Barabasz, A. Anderson, K. M. Soodhalter, D. Gregg, "Error Analysis and Improving the Accuracy of Winograd
        Convolution for Deep Neural Networks", ACM TOMS 2020: which points are chosen decides on the rounding.

    Examples:
        >>> from flowkit.nn.winograd import image_tiles
        >>> x, weight = torch.rand(1, 5, 8, 10), torch.rand(7, 5, 3, 3)
        >>> (y,) = WinogradKernel([weight], [None])(image_tiles(x), None, 8, 10)
        >>> torch.allclose(y, torch.nn.functional.conv2d(x, weight, padding=1), atol=1e-4)
        True
    """

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor | None]) -> None:
        for weight in weights:
            require_3x3(weight)
        self.weights = weights
        self.biases = biases
        self._for_inference = False
        self._kept: list[Tensor] | None = None

    def packed(self) -> "WinogradKernel":
        r"""The same for calls without gradients, with tiles of one layout: it keeps :math:`G w_i\, G^\top`."""
        result = WinogradKernel(self.weights, self.biases)
        result._for_inference = True
        return result

    def __call__(self, tiles: Tensor, others: Tensor | None, height: int, width: int) -> list[Tensor]:
        """The convolutions.

        Args:
            tiles: ``n x batch x rows x columns x C``, the first ``n`` places of an image ``H x W``.
            others: ``(36 - n) x batch x rows x columns x C_1``, the other places, of the first channels; the last
                ones are zero there. ``None`` if all are, or ``n`` is 36.
            height: ``H``.
            width: ``W``.

        Returns:
            ``batch x N_i x H x W`` for each kernel, in channels-last memory.
        """
        if any(bias is not None and is_functorch_wrapped_tensor(bias) for bias in self.biases):
            # What torch.func maps cannot be added in place to what it does not.
            unbiased = WinogradKernel(self.weights, [None] * len(self.weights))(tiles, others, height, width)
            pairs = zip(unbiased, self.biases, strict=True)
            return [image if bias is None else image + bias.view(-1, 1, 1) for image, bias in pairs]
        groups = _groups(tiles, others)
        # The products of half precision would round away what the sums of tiles are made of.
        with torch.autocast(tiles.device.type, enabled=False):
            if self._for_inference:
                images = _convolved(groups, self._of_inference(groups), self.weights, self.biases)
            elif torch.compiler.is_compiling():
                # The compiler differentiates by itself, and knows no functions with forward derivatives.
                images = _convolved(groups, _transformed(self.weights, groups), self.weights, self.biases)
            else:
                images = _Convolutions.apply(tiles, others, *self.weights, *self.biases)
        return [image[..., :height, :width, :].movedim(-1, -3) for image in images]

    def _of_inference(self, groups: Sequence[Tensor]) -> list[Tensor]:
        kept = self._kept
        if kept is not None:
            return kept
        # Ordinary tensors, whatever mode they are first asked for in.
        with torch.inference_mode(False), torch.no_grad():
            if math.prod(groups[0].shape[1:-1]) >= MANY:
                return _transformed(self.weights, groups)
            # Results' channels side by side, which products read in up to a fifth less time.
            parts = _by_group(self.weights, groups)
            self._kept = kept = [kernel_tiles(weight.transpose(0, 1), places).mT for weight, places in parts]
        return kept


def _groups(tiles: Tensor, others: Tensor | None) -> list[Tensor]:
    return [tiles] if others is None else [tiles, others]


def _slices(groups: Sequence[Tensor]) -> list[slice]:
    """Which of the places are in each group."""
    return [slice(len(groups[0])), slice(len(groups[0]), None)][: len(groups)]


def _transformed(weights: Sequence[Tensor], groups: Sequence[Tensor]) -> list[Tensor]:
    """All kernels for all channels at the first places, and for the first channels, if any, at the others."""
    return [kernel_tiles(weight, places) for weight, places in _by_group(weights, groups)]


def _by_group(weights: Sequence[Tensor], groups: Sequence[Tensor]) -> list[tuple[Tensor, slice]]:
    """All kernels for the channels of each group, and its places."""
    weight = _joined(weights, 0)
    channels = [group.shape[-1] for group in groups]
    return [(weight[:, :count], places) for count, places in zip(channels, _slices(groups), strict=True)]


def _convolved(
    groups: Sequence[Tensor], kernels: Sequence[Tensor], weights: Sequence[Tensor], biases: Sequence[Tensor | None]
) -> tuple[Tensor, ...]:
    """The images ``batch x 4 rows x 4 columns x N_i`` that tiles and transformed kernels make."""
    *batch, rows, columns, _ = groups[0].shape[1:]
    sizes = [len(weight) for weight in weights]
    lines = math.prod(batch) * rows
    at_once = max(1, SCRATCH // (PATCH**2 * columns * sum(sizes)))
    of_result = [matrices(groups[0]).of_result[:, places] for places in _slices(groups)]
    images: list[Tensor] = []
    for start in range(0, lines, at_once):
        part = slice(start, start + at_once)
        pieces = [group.flatten(1, -3)[:, part].flatten(1, 2) for group in groups]
        products = [torch.bmm(piece, kernel.mT) for piece, kernel in zip(pieces, kernels, strict=True)]
        for at_ones, bias in zip(products[0][ONES].split(sizes, -1), biases, strict=True):
            if bias is not None:
                at_ones += bias
        blocks = of_result[0] @ products[0].flatten(1)
        for matrix, more in zip(of_result[1:], products[1:], strict=True):
            blocks.addmm_(matrix, more.flatten(1))
        images = images or [blocks.new_empty(lines, TILE, columns, TILE, size) for size in sizes]
        by_kernel = blocks.view(TILE, TILE, -1, columns, sum(sizes)).permute(2, 0, 3, 1, 4).split(sizes, -1)
        for image, its_blocks in zip(images, by_kernel, strict=True):
            image[part] = its_blocks
    return tuple(image.view(*batch, TILE * rows, TILE * columns, image.shape[-1]) for image in images)


class _Convolutions(torch.autograd.Function):
    """:func:`_convolved` with kernels that are not transformed yet: those and the tiles are kept for the gradients.

    Autograd would keep the transformed kernels, which have up to four times as many numbers.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(tiles: Tensor, others: Tensor | None, *weights_and_biases: Any) -> tuple[Tensor, ...]:
        weights, biases = halves(weights_and_biases)
        groups = _groups(tiles, others)
        return _convolved(groups, _transformed(weights, groups), weights, biases)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        tiles, others, *weights_and_biases = inputs
        weights, biases = halves(weights_and_biases)
        ctx.biased = [bias is not None for bias in biases]
        ctx.save_for_backward(tiles, others, *weights)
        ctx.save_for_forward(tiles, others, *weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tiles, others, *weights = ctx.saved_tensors
        sizes = [len(weight) for weight in weights]
        groups = _groups(tiles, others)
        places, matrix = _slices(groups), matrices(tiles)
        kernels = _transformed(weights, groups) if ctx.needs_input_grad[0] else []
        by_weights = any(ctx.needs_input_grad[2 : 2 + len(weights)])
        of_tiles: list[list[Tensor]] = [[] for _ in groups]
        of_kernels: list[list[Tensor]] = [[] for _ in groups]
        of_ones: list[Tensor] = []
        at_once = max(1, SCRATCH_BACKWARD // (PATCH**2 * sum(sizes)))
        flat = [group.flatten(1, -2).split(at_once, 1) for group in groups]
        for blocks, *pieces in zip(_as_blocks(grads, tiles.shape[1:-1]).split(at_once, 1), *flat, strict=True):
            at_all_places = (matrix.of_result.T @ blocks.flatten(1)).view(-1, *blocks.shape[1:])
            of_ones.append(at_all_places[ONES].sum(0))
            for i, piece in enumerate(pieces):
                products = at_all_places[places[i]]
                if kernels:
                    of_tiles[i].append(torch.bmm(products, kernels[i]))
                if by_weights:
                    # The narrower side first: of 256 by 64, over 3200 tiles, that takes two thirds of the time.
                    of_kernels[i].append(_by_the_narrower(products, piece))
        of_groups = [
            _joined(of_pieces, 1).view(group.shape) if of_pieces else None
            for of_pieces, group in zip(of_tiles, groups, strict=True)
        ]
        of_weights: Sequence[Tensor | None] = [None] * len(weights)
        if by_weights:
            of_all, *of_fine = (
                (_sum(of_pieces).flatten(1).T @ matrix.of_kernel[its_places]).view(sum(sizes), -1, 3, 3)
                for its_places, of_pieces in zip(places, of_kernels, strict=True)
            )
            for more in of_fine:
                of_all[:, : more.shape[1]] += more
            of_weights = of_all.split(sizes)
        of_biases = [
            of_bias if biased else None for of_bias, biased in zip(_sum(of_ones).split(sizes), ctx.biased, strict=True)
        ]
        return of_groups[0], of_groups[1] if len(groups) > 1 else None, *of_weights, *of_biases

    @staticmethod
    def jvp(ctx: Any, of_tiles: Tensor, of_others: Tensor | None, *of_rest: Any) -> tuple[Tensor, ...]:
        tiles, others, *weights = ctx.saved_tensors
        by_tiles = _Convolutions.apply(of_tiles, of_others, *weights, *[None] * len(weights))
        by_weights = _Convolutions.apply(tiles, others, *of_rest)
        return tuple(one + other for one, other in zip(by_tiles, by_weights, strict=True))


def halves(sequence: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """The first and the second half, as of weights that biases follow: a function of autograd's takes no lists.

    Args:
        sequence: of an even length.

    Examples:
        >>> halves("wxbc")
        ('wx', 'bc')
    """
    half = len(sequence) // 2
    return sequence[:half], sequence[half:]


def _joined(parts: Sequence[Tensor], dim: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return sum(parts[1:], parts[0])


def _as_blocks(images: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Images as the 16 places of their blocks, ``16 x T x N``; ``shape`` is batch, rows and columns of the blocks."""
    blocks = [as_blocks(image.reshape(-1, *image.shape[-3:]).movedim(-1, 1)) for image in images]
    return _joined(blocks, -1).reshape(TILE**2, math.prod(shape), -1)


def _by_the_narrower(one: Tensor, other: Tensor) -> Tensor:
    """``n x N x C``, the products of the columns of ``n x T x N`` with those of ``n x T x C``."""
    if one.shape[-1] <= other.shape[-1]:
        return torch.bmm(one.mT, other)
    return torch.bmm(other.mT, one).mT
