"""Convolutions by another way, held against the plain ones."""

import torch
from torch import Tensor


def operands(height: int, width: int, channels: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two images and a 3x3 kernel for them, in float64."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, channels, 3, 3, generator=generator, dtype=torch.float64)
    return x.requires_grad_(), weight.requires_grad_()


def enlarged(x: Tensor, factor: int) -> Tensor:
    """An image enlarged by nearest neighbour."""
    return x.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def assert_alike(got: Tensor, expected: Tensor, by: tuple[Tensor, ...], close: float, close_gradients: float) -> None:
    """Results agree, and their gradients by some tensors, within an absolute and relative tolerance each."""
    torch.testing.assert_close(got, expected, atol=close, rtol=close)
    direction = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad(got, by, direction), torch.autograd.grad(expected, by, direction), strict=True
    ):
        torch.testing.assert_close(one, other, atol=close_gradients, rtol=close_gradients)


def assert_batched_gradients_agree(got: Tensor, expected: Tensor, by: tuple[Tensor, ...], tolerance: float) -> None:
    """Several gradients at once, by the same tensors."""
    directions = torch.randn(3, *got.shape, dtype=torch.float64)
    both = (torch.autograd.grad(y, by, directions, is_grads_batched=True) for y in (got, expected))
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)
