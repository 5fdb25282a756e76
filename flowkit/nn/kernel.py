"""Convolution kernels, as they are and laid out for one processor."""

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.convolution import convolution
from flowkit.ops.memory_format import channels_last

__all__ = ["ConvKernel", "Kernel", "PackedKernel", "can_pack", "finished", "rectified", "rectify_", "require_3x3"]

Padding = tuple[int, int]


class ConvKernel(ABC):
    r"""A convolution of images, ready to be called: :math:`y = \operatorname{LReLU}(w * x + b + a)`.

    References:
        As :class:`~flowkit.nn.PackableConv2d`, whose kernels these are.

    Examples:
        >>> kernel: ConvKernel = Kernel(torch.ones(1, 1, 1, 1), padding=(0, 0))
        >>> kernel(torch.tensor([[[[-1.0, 2.0]]]]), slope=0.5)
        tensor([[[[-0.5000,  2.0000]]]])
    """

    @abstractmethod
    def __call__(self, x: Tensor, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        r""":math:`w * x + b`, then ``+ add``, then a leaky ReLU of a slope, if asked for; channels last in memory."""


class Kernel(ConvKernel):
    r"""A convolution with a stride of 1, :math:`w * x + b`.

    Args:
        weight: ``N x C x h x w``.
        bias: ``N`` numbers, or ``None``.
        padding: rows and columns of zeros at each edge.

    Examples:
        >>> kernel = Kernel(torch.ones(1, 1, 1, 1), padding=(0, 0))
        >>> kernel(torch.tensor([[[[-1.0, 2.0]]]]), slope=0.0)
        tensor([[[[0., 2.]]]])
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, padding: Padding = (1, 1)) -> None:
        self.weight = weight
        self.bias = bias
        self.padding = padding

    def __call__(self, x: Tensor, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        """The convolution; what is added may broadcast."""
        y = convolution(channels_last(x), self.weight, self.bias, self.padding)
        return finished(y, add, slope)


class PackedKernel(ConvKernel):
    """A kernel in the order in memory that oneDNN wants on this CPU, for calls without gradients.

    The library reorders an ordinary kernel at every call, which costs up to half of the time on small images; and it
    adds and rectifies while it writes the result. The operators are those that ``torch.compile`` replaces convolutions
    by on a CPU.

    The order depends on the images' size: given that of another, oneDNN may fall back to loops a hundred times slower.
    So a new size is packed anew, at the first call.

    Args:
        kernel: the kernel; it is not to change.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.padding = list(kernel.padding)
        self._packed: tuple[Padding, Tensor] | None = None

    def _for_size(self, x: Tensor) -> Tensor:
        size = (x.shape[-2], x.shape[-1])
        # Read once: another thread may have images of another size.
        kept = self._packed
        if kept is None or kept[0] != size:
            weight = self.kernel.weight
            shape = [1, weight.shape[1], *size]
            packed = torch.ops.mkldnn._reorder_convolution_weight(weight, self.padding, [1, 1], [1, 1], 1, shape)
            self._packed = kept = (size, packed)
        return kept[1]

    def __call__(self, x: Tensor, add: Tensor | None = None, slope: float | None = None) -> Tensor:
        """The convolution; what is added may broadcast over the batch."""
        x = channels_last(x)
        fixed = (self._for_size(x), self.kernel.bias, self.padding, [1, 1], [1, 1], 1)
        if add is None:
            name, numbers = ("none", []) if slope is None else ("leaky_relu", [slope])
            return torch.ops.mkldnn._convolution_pointwise(x, *fixed, name, numbers, "")
        result = self._shape_of_result(x)
        if add.shape not in (result, (1, *result[1:])):
            raise ValueError(f"a convolution's result of shape {result} was to be added to {tuple(add.shape)}")
        y = torch.ops.mkldnn._convolution_pointwise.binary(
            x, channels_last(add), *fixed, "add", 1.0, "relu" if slope == 0 else None, [], ""
        )
        # After an addition the operator knows this activation alone.
        return rectify_(y, slope) if slope else y

    def _shape_of_result(self, x: Tensor) -> tuple[int, ...]:
        sides = (
            side + 2 * edge - length + 1
            for side, edge, length in zip(x.shape[-2:], self.padding, self.kernel.weight.shape[-2:], strict=True)
        )
        return (len(x), self.kernel.weight.shape[0], *sides)

    def __deepcopy__(self, memo: dict[int, Any]) -> "PackedKernel":
        # The layout cannot be copied.
        return PackedKernel(self.kernel)

    def __reduce__(self) -> tuple[Any, ...]:
        return _repacked, (self.kernel,)


def _repacked(kernel: Kernel) -> ConvKernel:
    return PackedKernel(kernel) if can_pack(kernel.weight) else kernel


def finished(y: Tensor, add: Tensor | None, slope: float | None) -> Tensor:
    """What follows a convolution, in place where that is possible.

    Args:
        y: the convolution's result, which nothing else needs.
        add: what is added first, if anything; it may broadcast.
        slope: of the leaky ReLU that comes last; 0 for a plain ReLU, ``None`` for none.

    Returns:
        The result.

    Examples:
        >>> finished(torch.tensor([-1.0, 2.0]), torch.tensor(0.5), 0.0)
        tensor([0.0000, 2.5000])
    """
    if add is not None:
        y = y + add
    if slope is None:
        return y
    # In place on a view, autograd would copy the gradients of all that it is a view of.
    is_view = not torch.compiler.is_compiling() and y._is_view()
    return rectified(y, slope) if is_view else rectify_(y, slope)


def require_3x3(weight: Tensor) -> None:
    """Refuse a kernel of another size.

    Args:
        weight: ``N x C x h x w``.

    Raises:
        ValueError: ``h`` or ``w`` is not 3.

    Examples:
        >>> require_3x3(torch.rand(8, 5, 3, 3))
    """
    if weight.shape[-2:] != (3, 3):
        raise ValueError(f"expected a 3x3 kernel, got one of shape {tuple(weight.shape)}")


def rectify_(y: Tensor, slope: float) -> Tensor:
    """A leaky ReLU in place.

    Args:
        y: any tensor that nothing else needs.
        slope: for negative numbers; 0 for a plain ReLU.

    Returns:
        ``y``.

    Examples:
        >>> rectify_(torch.tensor([-1.0, 2.0]), 0.0)
        tensor([0., 2.])
    """
    return F.leaky_relu_(y, slope) if slope else y.relu_()


def rectified(y: Tensor, slope: float) -> Tensor:
    """A leaky ReLU; in place where no gradients are recorded.

    Args:
        y: any tensor that nothing else needs.
        slope: for negative numbers; 0 for a plain ReLU.

    Returns:
        The result, of which alone the gradients of a plain ReLU need anything.

    Examples:
        >>> rectified(torch.tensor([-1.0, 2.0]), 0.0)
        tensor([0., 2.])
    """
    if not torch.is_grad_enabled():
        return rectify_(y, slope)
    return F.leaky_relu(y, slope) if slope else F.relu(y)


def can_pack(weight: Tensor) -> bool:
    """Whether :class:`PackedKernel` works for a kernel here and now.

    Args:
        weight: ``N x C x h x w``.

    Returns:
        True in float32 on a CPU, outside of autocast, where PyTorch was built with oneDNN.

    Examples:
        >>> can_pack(torch.rand(1, 1, 2, 2).double())
        False
    """
    return bool(
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and not torch.is_autocast_enabled("cpu")
    )
