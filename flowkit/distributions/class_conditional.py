"""A base distribution for each class."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution
from flowkit.distributions.picking import pick
from flowkit.ops.values import readable

__all__ = ["ClassConditional"]

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class ClassConditional(Distribution[Any]):
    r"""A distribution per class, the label naming the class: :math:`\log p(z|y) = \log p_y(z)`.

    With learned means, the latents of different classes separate, and Bayes' rule turns the flow into a classifier.
    Every distribution scores, and draws, the whole batch; the label picks one of the results for each sample.

    Args:
        distributions: one for each class, in the order of the labels ``0, 1, ...``; at least one; of tensors, or of
            the tuples of a multi-scale flow's latents.

    Raises:
        ValueError: there is no distribution, or (when called) there is no label, it does not fit the batch, or a
            class lies outside ``0 ... len(distributions) - 1`` (in eager mode).
        TypeError: (when called) the label is no integer or integer tensor.

    References:
        Izmailov, Kirichenko, Finzi and Wilson, "Semi-supervised learning with normalizing flows", 2020, sec. 3.

    Examples:
        >>> from flowkit import StandardNormal
        >>> base = ClassConditional([StandardNormal(), StandardNormal()])
        >>> base.log_prob(torch.zeros(3, 2), label=torch.tensor([0, 1, 1]))
        tensor([-1.8379, -1.8379, -1.8379])
        >>> base.sample(5, (2,), label=1).shape
        torch.Size([5, 2])
    """

    takes_label = True

    def __init__(self, distributions: Iterable[Distribution[Any]]) -> None:
        super().__init__()
        parts = list(distributions)
        for part in parts:
            require_distribution(part, "ClassConditional")
        self._distributions = nn.ModuleList(parts)
        if not len(self._distributions):
            raise ValueError("a ClassConditional needs at least one distribution")

    @property
    def distributions(self) -> list[Distribution[Any]]:
        """The distributions, in the order of the classes."""
        return list(self._distributions)  # type: ignore[arg-type]

    def _log_prob(self, z: Any, label: Any) -> Tensor:
        """``batch x event`` to one number per sample; the label is of the batch shape, or one class for all."""
        parts = torch.stack([d.log_prob(z) for d in self.distributions])
        classes = self._classes(label, tuple(parts.shape[1:]))
        return parts.gather(0, classes.to(parts.device)[None])[0]

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Any:
        """A tensor ``batch x shape``, sample ``i`` of class ``label[i]``, or all of the one class."""
        classes = self._classes(label, (batch,))
        return pick([d._sample(batch, shape, None, temperature, generator) for d in self.distributions], classes)

    def _classes(self, label: Any, batch: tuple[int, ...]) -> Tensor:
        number = len(self._distributions)
        if label is None:
            raise ValueError(f"this base distribution has {number} classes: pass label=, from 0 to {number - 1}")
        if isinstance(label, int):
            label = torch.tensor(label)
        if not isinstance(label, Tensor) or label.dtype not in INTEGERS:
            got = f"a {label.dtype} tensor" if isinstance(label, Tensor) else type(label).__name__
            raise TypeError(f"the label is {got}; ClassConditional takes an integer tensor of the batch shape")
        try:
            classes = label.to(torch.int64).expand(batch)
        except RuntimeError:
            raise ValueError(
                f"the label has the shape {tuple(label.shape)}; it must have the batch shape {batch}"
            ) from None
        # A branch on values would break a compiled graph or a vmapped call.
        if readable(classes):
            outside = (label < 0) | (label >= number)
            if bool(outside.any()):
                first = label[outside].flatten()[0].item()
                raise ValueError(f"the label has the class {first}; there are {number} classes, 0 to {number - 1}")
        return classes
