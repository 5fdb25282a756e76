"""An injector and the coupling that follows it, whose networks read the context together."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Step
from flowkit.bijectors.activations.choice import Part, Stored
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.injector import Injector
from flowkit.nn.conv import ConvConditioner, prepare_jointly
from flowkit.nn.tiled_features import TiledFeatures

__all__ = ["InjectedCoupling"]


class InjectedCoupling:
    r"""An injector and a coupling, :math:`z = T_2(T_1(x;\, \theta_1(c));\, \theta_2(x_K, c))`, as one part of a chain.

    Where gradients are recorded and the context comes as tiles, the first convolutions of both networks over the
    context are one product of twice the width; that is faster, and the context's gradients are added up half as often.
    Otherwise it is the two, one after the other.

    Args:
        injector: with a :class:`~flowkit.ConvConditioner`.
        coupling: with another.

    References:
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020, sec. 3.4: the two layers, in one step of the flow.

    Examples:
        >>> from flowkit import Chain
        >>> from flowkit.bijectors.fused.table import joined
        >>> injector = Injector(4, ConvConditioner(3, 8, hidden_channels=8))
        >>> coupling = Coupling(4, ConvConditioner(2, 4, hidden_channels=8, context_channels=3))
        >>> [type(part).__name__ for part in joined(Chain([injector, coupling]).parts)]
        ['InjectedCoupling']
    """

    def __init__(self, injector: Injector, coupling: Coupling) -> None:
        self.injector = injector
        self.coupling = coupling

    def prepare(self, context: Any) -> Any:
        """What each of them prepares."""
        reader, other = self.injector.conditioner, self.coupling.conditioner
        if (
            isinstance(context, TiledFeatures)
            and torch.is_grad_enabled()
            and isinstance(reader, ConvConditioner)
            and isinstance(other, ConvConditioner)
            and reader.in_channels == other.context_channels == context.channels
            and reader.is_ready
        ):
            raw, of_coupling = prepare_jointly(reader, other, context)
            return self.injector.parameters_from(raw), of_coupling
        return Stored().prepare(self._parts, context)

    @property
    def _parts(self) -> list[Part]:
        return [self.injector, self.coupling]

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return Stored().run(self._parts, x, prepared, inverse=False)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return Stored().run(self._parts, z, prepared, inverse=True)

    def _steps(self, context: Any) -> list[Step]:
        return [step for part in self._parts for step in part._steps(context)]
