from flowkit import (
    MLP,
    ActNorm,
    ConvConditioner,
    Coupling,
    Injector,
    LULinear,
    Reversal,
    Woodbury,
)
from flowkit.bijectors.fused.normalized_mixing import NormalizedMixing
from flowkit.bijectors.fused.table import joined
from flowkit.bijectors.injected_coupling import InjectedCoupling


def test_an_actnorm_and_a_matrix() -> None:
    norm, other = ActNorm(4, 1), ActNorm(4, 1)
    for layer in (norm, other):
        layer.mark_initialized()
    matrix, coupling = LULinear(4), Coupling(4, MLP(2, 4), event_dims=1)
    assert [type(part) for part in joined([norm, matrix, coupling, other, matrix])] == [
        NormalizedMixing,
        Coupling,
        NormalizedMixing,
    ]
    for parts in ([matrix, norm], [norm, coupling], [norm, Reversal(4)], [norm, LULinear(4, event_dims=3)]):
        assert joined(parts) == parts
    # Its matrix is never formed.
    assert len(joined([norm, Woodbury(4, 2)])) == 2


def test_an_injector_and_a_coupling() -> None:
    class Derived(ConvConditioner):
        pass

    injector, coupling = Injector(4, ConvConditioner(5, 8, 8)), Coupling(4, ConvConditioner(2, 4, 8, 5))
    assert [type(part) for part in joined([injector, coupling, coupling])] == [InjectedCoupling, Coupling]
    for parts in (
        [coupling, injector],
        [injector, Coupling(4, MLP(2, 4))],
        [Injector(4, Derived(5, 8, 8)), coupling],
    ):
        assert joined(parts) == parts
