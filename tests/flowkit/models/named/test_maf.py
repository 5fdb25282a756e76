import torch

from flowkit.bijectors.chain import Chain
from tests.flowkit.models.settings import data, ready


def test_each_feature_depends_on_those_before_it_in_alternating_order() -> None:
    flow = ready("maf")
    assert isinstance(flow.bijector, Chain)
    # At one point alone, a rectifier may be silent.
    points = data(flow, 20)
    for layer in flow.bijector.parts[::2]:
        jacobian = torch.func.vmap(torch.func.jacrev(lambda value, layer=layer: layer(value)[0]))(points)
        assert torch.equal(jacobian, jacobian.tril())
        assert (jacobian.diagonal(dim1=1, dim2=2) > 0).all()
        assert torch.equal(jacobian.any(0), torch.ones(3, 3).tril().bool())
    # With the reversals between, every feature acts on every other one.
    whole = torch.func.vmap(torch.func.jacrev(lambda value: flow.bijector(value)[0]))(points)
    assert whole.any(0).all()
