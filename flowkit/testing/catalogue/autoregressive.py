"""Autoregressive layers, either way round, with each transform, with and without context."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijectors.autoregressive import InverseAutoregressive, MaskedAutoregressive
from flowkit.constants import WithConstants
from flowkit.nn.made import MADE
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.coupling import affine_bounded, affine_sigmoid, spline
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN
from flowkit.transforms.additive import Additive
from flowkit.transforms.affine import Affine
from flowkit.transforms.transform import Transform

__all__ = ["ENTRIES", "StrictlyLowerLinear"]

Build = Callable[[Draw], Case]


class StrictlyLowerLinear(WithConstants):
    """An autoregressive network as a user would write it, without ``unroll`` or ``prepare``: a triangular matrix.

    Args:
        features: how many.
        parameters_per_feature: outputs for each.

    Examples:
        >>> StrictlyLowerLinear(3, 2)(torch.ones(5, 3)).shape
        torch.Size([5, 6])
    """

    mask: Tensor

    def __init__(self, features: int, parameters_per_feature: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, features * parameters_per_feature)
        self.register_constant(
            "mask", lambda: torch.ones(features, features).tril(-1).repeat_interleave(parameters_per_feature, 0)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``batch x features`` to ``batch x (features * parameters_per_feature)``."""
        return nn.functional.linear(x, self.linear.weight * self.mask, self.linear.bias)


def _made(
    layer: Callable[..., MaskedAutoregressive],
    transform: Callable[[], Transform],
    conditional: bool = False,
    shuffled: bool = False,
    **settings: Any,
) -> Build:
    def build(draw: Draw) -> Case:
        features = draw(2, 5)
        order = _shuffle(draw, features) if shuffled else None
        hidden = (HIDDEN, draw(features, HIDDEN))
        context = CONTEXT if conditional else 0

        def make() -> MaskedAutoregressive:
            chosen = transform()
            network = MADE(features, chosen.parameters_per_element, hidden, context, order=order, **settings)
            return layer(features, network, chosen)

        return Case(make, (features,), (CONTEXT,) if conditional else None)

    return build


def _shuffle(draw: Draw, features: int) -> list[int]:
    left = list(range(features))
    return [left.pop(draw(0, len(left) - 1)) for _ in range(features)]


def _single(conditional: bool) -> Build:
    def build(draw: Draw) -> Case:
        context = CONTEXT if conditional else 0
        exempt = {} if conditional else {"parameter_gradients": "a single feature depends on the last biases alone"}
        return Case(
            lambda: MaskedAutoregressive(1, MADE(1, 2, (HIDDEN,), context)),
            (1,),
            (CONTEXT,) if conditional else None,
            exempt=exempt,
        )

    return build


def _users_network(draw: Draw) -> Case:
    features = draw(2, 5)
    return Case(lambda: MaskedAutoregressive(features, StrictlyLowerLinear(features, 2)), (features,))


MAF = "Papamakarios, Pavlakou and Murray 2017, sec. 3.1"
MAF_CONDITIONAL = "Papamakarios, Pavlakou and Murray 2017, sec. 3.4"
IAF = "Kingma et al. 2016, sec. 4"
SPLINE = "Durkan et al. 2019, sec. 3"

ENTRIES: dict[str, Entry] = {
    "MaskedAutoregressive": Entry("masked autoregressive flow", MAF, _made(MaskedAutoregressive, Affine)),
    "MaskedAutoregressive, conditional": Entry(
        "conditional masked autoregressive flow",
        MAF_CONDITIONAL,
        _made(MaskedAutoregressive, affine_bounded, conditional=True),
    ),
    "MaskedAutoregressive, any order": Entry(
        "masked autoregressive flow, features in any order",
        MAF,
        _made(MaskedAutoregressive, affine_sigmoid, conditional=True, shuffled=True, activation=nn.Tanh),
    ),
    "MaskedAutoregressive, additive": Entry(
        "masked autoregressive flow, shift alone", MAF, _made(MaskedAutoregressive, Additive)
    ),
    "MaskedAutoregressive, spline": Entry(
        "autoregressive neural spline flow", SPLINE, _made(MaskedAutoregressive, spline, shuffled=True)
    ),
    "MaskedAutoregressive, spline, conditional": Entry(
        "conditional autoregressive neural spline flow", SPLINE, _made(MaskedAutoregressive, spline, conditional=True)
    ),
    "MaskedAutoregressive, one feature": Entry(
        "masked autoregressive flow of one feature", MAF, _single(conditional=False)
    ),
    "MaskedAutoregressive, one feature, conditional": Entry(
        "conditional masked autoregressive flow of one feature", MAF_CONDITIONAL, _single(conditional=True)
    ),
    "MaskedAutoregressive, any network": Entry(
        "masked autoregressive flow, network without unroll", MAF, _users_network
    ),
    "InverseAutoregressive": Entry("inverse autoregressive flow", IAF, _made(InverseAutoregressive, Affine)),
    "InverseAutoregressive, conditional": Entry(
        "conditional inverse autoregressive flow",
        IAF,
        _made(InverseAutoregressive, affine_sigmoid, conditional=True, shuffled=True),
    ),
    "InverseAutoregressive, spline": Entry(
        "inverse autoregressive spline flow", SPLINE, _made(InverseAutoregressive, spline)
    ),
    "InverseAutoregressive, spline, conditional": Entry(
        "conditional inverse autoregressive spline flow",
        SPLINE,
        _made(InverseAutoregressive, spline, conditional=True, shuffled=True),
    ),
}
