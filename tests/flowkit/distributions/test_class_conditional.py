import pytest
import torch

from flowkit.distributions.class_conditional import ClassConditional
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.factorised import Factorised
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.testing.subject import perturb
from tests.flowkit.distributions.bases import apart


def three(event_dims: int = 1) -> ClassConditional:
    torch.manual_seed(0)
    base = ClassConditional([DiagonalNormal(2, event_dims) for _ in range(3)]).double()
    perturb(base, 1.0)
    return base


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_each_sample_is_scored_by_its_class(batch: tuple[int, ...], dtype: torch.dtype) -> None:
    base = three()
    z, label = torch.randn(*batch, 2, dtype=torch.float64), torch.randint(3, batch)
    scored = base.log_prob(z, label.to(dtype))
    assert scored.shape == batch
    for one, sample, which in zip(scored.reshape(-1), z.reshape(-1, 2), label.reshape(-1), strict=True):
        torch.testing.assert_close(one, base.distributions[int(which)].log_prob(sample))


def test_one_class_for_all() -> None:
    base, z = three(3), torch.randn(4, 2, 3, 3, dtype=torch.float64)
    for label in (1, torch.tensor(1), torch.tensor([1])):
        torch.testing.assert_close(base.log_prob(z, label), base.distributions[1].log_prob(z))
        assert base.sample(4, (2, 3, 3), label).shape == (4, 2, 3, 3)


def test_samples_come_from_their_class() -> None:
    base = ClassConditional([apart(1, -10.0), apart(1, 0.0), apart(1, 10.0)])
    label = torch.tensor([0, 1, 2, 1]).repeat(50)
    drawn = base.sample(200, (1,), label, generator=torch.Generator().manual_seed(0))
    # Standard normals leave their mean by 5 once in millions.
    assert (drawn.squeeze(1) - (label - 1) * 10).abs().max() < 5
    cold = base.sample(200, (1,), label, temperature=0.0)
    torch.testing.assert_close(cold.squeeze(1), (label - 1) * 10.0)


def test_only_the_classes_that_occur_get_gradients() -> None:
    base = three()
    base.log_prob(torch.ones(2, 2, dtype=torch.float64), torch.tensor([0, 2])).sum().backward()
    moved = [bool(p.grad is not None and p.grad.any()) for p in base.parameters()]
    assert moved == [True, True, False, False, True, True]


def test_the_latents_of_a_multi_scale_flow() -> None:
    torch.manual_seed(0)
    shapes = (2, 4, 4), (4, 2, 2)
    parts = [Factorised([DiagonalNormal(2, 3), DiagonalNormal(4, 3)]) for _ in range(2)]
    base = ClassConditional(parts).double()
    perturb(base, 1.0)
    label = torch.tensor([0, 1, 1])
    z = base.sample(3, shapes, label, generator=torch.Generator().manual_seed(0))
    assert [part.shape for part in z] == [(3, 2, 4, 4), (3, 4, 2, 2)]
    expected = torch.stack([parts[0].log_prob(z)[0], *parts[1].log_prob(z)[1:]])
    torch.testing.assert_close(base.log_prob(z, label), expected)
    cold = base.sample(3, shapes, label, temperature=0.0)
    assert torch.equal(cold[1][0, :, 0, 0], parts[0].distributions[1].mean)  # type: ignore[arg-type]
    assert torch.equal(cold[1][2, :, 1, 1], parts[1].distributions[1].mean)  # type: ignore[arg-type]


def test_wrong_labels_are_refused() -> None:
    base, z = three(), torch.zeros(4, 2)
    with pytest.raises(ValueError, match="has 3 classes: pass label=, from 0 to 2"):
        base.log_prob(z)
    with pytest.raises(ValueError, match="has 3 classes: pass label=, from 0 to 2"):
        base.sample(4, (2,))
    with pytest.raises(TypeError, match=r"the label is a torch\.float32 tensor; .* takes an integer tensor"):
        base.log_prob(z, torch.zeros(4))
    with pytest.raises(TypeError, match=r"the label is a torch\.bool tensor"):
        base.log_prob(z, torch.zeros(4, dtype=torch.bool))
    with pytest.raises(TypeError, match="the label is list"):
        base.log_prob(z, [0, 0, 0, 0])
    with pytest.raises(ValueError, match=r"the label has the shape \(3,\); it must have the batch shape \(4,\)"):
        base.log_prob(z, torch.zeros(3, dtype=torch.int64))
    for wrong in (3, -1):
        with pytest.raises(ValueError, match=f"the label has the class {wrong}; there are 3 classes, 0 to 2"):
            base.log_prob(z, torch.tensor([0, wrong, 0, 0]))
        with pytest.raises(ValueError, match=f"the label has the class {wrong}; there are 3 classes, 0 to 2"):
            base.sample(4, (2,), wrong)


def test_no_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one distribution"):
        ClassConditional([])


def test_unconditional_parts_of_another_kind() -> None:
    base = ClassConditional([StandardNormal(), apart(2, 1.0)])
    assert base.sample(3, (2,), torch.tensor([0, 1, 0])).shape == (3, 2)
