"""Composition of bijectors."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Self, overload

import torch
from torch import Tensor, nn

from flowkit.argument_types import require_types
from flowkit.bijector import REAL_LINE, Bijector, Interval, Shape, Step
from flowkit.bijectors.activations.activations import Activations, Plan
from flowkit.bijectors.activations.stored import Stored
from flowkit.bijectors.chaining import interval_filled, own_domain
from flowkit.bijectors.parts import require_bijector
from flowkit.bijectors.supports_through import support_before
from flowkit.recorded import record_arguments
from flowkit.supports.support import Support

__all__ = ["Chain", "use_activations"]


class Chain(Bijector[Any, Any]):
    r"""Bijectors one after another: :math:`f = f_n \circ \dots \circ f_1`; the log-determinants add up.

    Every part is given the same context. Like a list, a chain has a length, its parts by index, shorter chains of the
    same parts by slicing, and grows in place by :meth:`append` and :meth:`insert`.

    Args:
        bijectors: the parts, in the order in which ``forward`` runs them; at least one.
        activations: what the backward pass finds stored, :class:`~flowkit.Stored` by default;
            :class:`~flowkit.Reversible` and :class:`~flowkit.Checkpointed` trade time for memory. No part of the state.

    Raises:
        TypeError: a part is no bijector.
        ValueError: no bijector is given, or one takes events of other dimensions, or more values, than the one before
            gives.

    References:
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> import torch
        >>> from flowkit import LUConv1x1, Squeeze
        >>> chain = Chain([Squeeze(), LUConv1x1(12)])
        >>> chain.output_shape((3, 8, 6))
        (12, 4, 3)
        >>> z, log_det = chain(torch.rand(2, 3, 8, 6))
        >>> log_det.shape
        torch.Size([2])
        >>> len(chain[1:].append(LUConv1x1(12)))
        2
    """

    takes_context = False

    def __init__(self, bijectors: Iterable[Bijector[Any, Any]], activations: Activations | None = None) -> None:
        super().__init__()
        self.activations = Stored() if activations is None else activations
        parts = list(bijectors)
        if not parts:
            raise ValueError("a Chain needs at least one bijector")
        for part in parts:
            require_bijector(part, "a Chain")
        self._take(parts)

    def _take(self, parts: list[Bijector[Any, Any]]) -> None:
        for before, after in pairwise(parts):
            if before.latent_event_dims != after.event_dims:
                raise ValueError(
                    f"in a Chain, {type(before).__name__} gives events of {before.latent_event_dims} dimensions and "
                    f"{type(after).__name__} after it takes {after.event_dims}: make both for the same data, by "
                    "event_dims where they have it, or put a Reshape between"
                )
        interval_filled(parts, own_domain(parts), "Chain")
        self.bijectors = nn.ModuleList(parts)
        batch_dims = [b.batch_dims for b in parts if b.batch_dims is not None]
        self.event_dims = parts[0].event_dims
        self.batch_dims = min(batch_dims, default=None)

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self.bijectors)

    def __iter__(self) -> Iterator[Bijector[Any, Any]]:
        """The parts, in forward order."""
        return iter(self.parts)

    @overload
    def __getitem__(self, index: int) -> Bijector[Any, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> "Chain": ...

    def __getitem__(self, index: int | slice) -> "Bijector[Any, Any] | Chain":
        """A part, or a chain of some of them, which shares their parameters; ValueError for none of them."""
        return Chain(self.parts[index], self.activations) if isinstance(index, slice) else self.parts[index]

    def append(self, bijector: Bijector[Any, Any]) -> Self:
        """Add a bijector after the last part, in place.

        Args:
            bijector: the new last part of ``forward``.

        Returns:
            The chain itself.

        Raises:
            TypeError: it is no bijector.
        """
        return self.insert(len(self), bijector)

    def insert(self, index: int, bijector: Bijector[Any, Any]) -> Self:
        """Add a bijector before a part, in place: as ``list.insert``.

        Args:
            index: the place that it gets.
            bijector: the new part.

        Returns:
            The chain itself.

        Raises:
            TypeError: it is no bijector.
            ValueError: it is the chain itself, or does not fit between its neighbours.
        """
        require_bijector(bijector, "a Chain")
        if any(part is self for part in bijector.modules()):
            raise ValueError("a Chain cannot hold itself: add a copy, or some of its parts, by slicing")
        parts = self.parts
        parts.insert(index, bijector)
        self._take(parts)
        # What is stored of a chain is what it was made with.
        if type(self) is Chain:
            record_arguments(self, parts, self.activations)
        return self

    @property
    def parts(self) -> list[Bijector[Any, Any]]:
        """The bijectors, in forward order."""
        return list(self.bijectors)  # type: ignore[arg-type]

    def output_shape(self, shape: Shape) -> Shape:
        """The shape after all parts."""
        for part in self.parts:
            shape = part.output_shape(shape)
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The shape before all parts."""
        for part in reversed(self.parts):
            shape = part.input_shape(shape)
        return shape

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the first part which does more than move entries."""
        return next((part.domain(dtype) for part in self.parts if not part.moves_entries), REAL_LINE)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the last part which does more than move entries."""
        return next((part.codomain(dtype) for part in reversed(self.parts) if not part.moves_entries), REAL_LINE)

    @property
    def moves_entries(self) -> bool:
        """Whether all parts do."""
        return all(part.moves_entries for part in self.parts)

    @property
    def keeps_lengths(self) -> bool:
        """Whether all parts do, or move entries."""
        return all(part.moves_entries or part.keeps_lengths for part in self.parts)

    def image_of(self, interval: Interval) -> Interval | None:
        """Part by part."""
        image: Interval | None = interval
        for part in self.parts:
            image = None if image is None else part.image_of(image)
        return image

    def data_support(self) -> Support | None:
        """That of the first part which does more than move entries or turn vectors, seen from before these."""
        return support_before(self.parts)

    def latent_support(self) -> Support | None:
        """That of the last part which does more than move entries or turn vectors, seen from behind these."""
        return support_before(self.parts[::-1], inverse=True)

    @property
    def _first(self) -> Bijector[Any, Any]:
        return self.parts[0]._first

    @property
    def latent_event_dims(self) -> int:
        """Those of the last part."""
        return self.parts[-1].latent_event_dims

    def prepare(self, context: Any) -> Plan:
        """Decide what runs, and prepare what depends on the context alone; both directions follow this plan."""
        return self.activations.plan(self.parts, context)

    def _prepare_in_turn(self, context: Any) -> Plan:
        return self.activations.plan_in_turn(self.parts, context)

    def _steps(self, context: Any) -> list[Step]:
        return [step for part in self.parts for step in part._steps_as_part(context)]

    def _forward(self, x: Any, prepared: Plan) -> tuple[Any, Tensor]:
        return prepared.run(x, inverse=False)

    def _inverse(self, z: Any, prepared: Plan) -> tuple[Any, Tensor]:
        return prepared.run(z, inverse=True)


def use_activations(module: nn.Module, activations: Activations) -> None:
    r"""Set what the backward pass finds stored in every :class:`Chain` of a model, and in its encoders.

    Of a chain :math:`f = f_n \circ \dots \circ f_1` within another one the outer one's choice counts, unless that is
    :class:`~flowkit.Stored`: the outer one sees the steps :math:`f_i` of those within as its own, so that nothing is
    recomputed more than once, however deep they are nested. Whatever else has an attribute ``activations``, as an
    encoder that runs its blocks by :meth:`Activations.call <flowkit.bijectors.Activations.call>`, is set as well.

    Args:
        module: a flow, a bijector, or any module that contains some; shapes, state dict and results stay what they are.
        activations: the choice.

    Raises:
        ValueError: there is neither a chain in it nor such an encoder.

    References:
        A. N. Gomez, M. Ren, R. Urtasun, R. B. Grosse, "The Reversible Residual Network: Backpropagation Without
        Storing Activations", NeurIPS 2017.

    Examples:
        >>> from flowkit import Reversible, glow
        >>> flow = glow((3, 8, 8), levels=2, steps=1, hidden=8)
        >>> use_activations(flow, Reversible())
    """
    require_types(use_activations, (module, activations), {})
    found = [part for part in module.modules() if isinstance(getattr(part, "activations", None), Activations)]
    if not found:
        raise ValueError(f"{type(module).__name__} contains no Chain, and no encoder, that could store its activations")
    for part in found:
        # Set so, since a module's attributes are tensors and modules to the type checker.
        setattr(part, "activations", activations)  # noqa: B010
