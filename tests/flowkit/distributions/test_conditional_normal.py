import pytest
import torch
from torch import nn

from flowkit import Flow, Reversal
from flowkit.distributions.conditional_normal import ConditionalNormal


def test_log_density_of_vectors() -> None:
    torch.manual_seed(0)
    base = ConditionalNormal(nn.Linear(2, 6)).double()
    z, label = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    raw = base.conditioner(label)
    # Mean and log-standard-deviation of a channel stand beside each other.
    normal = torch.distributions.Normal(raw[:, 0::2], raw[:, 1::2].exp())
    torch.testing.assert_close(base.log_prob(z, label), normal.log_prob(z).sum(1))


def test_one_label_serves_a_batch() -> None:
    torch.manual_seed(0)
    base = ConditionalNormal(nn.Linear(2, 6)).double()
    z, label = torch.randn(5, 3, dtype=torch.float64), torch.randn(1, 2, dtype=torch.float64)
    torch.testing.assert_close(base.log_prob(z, label), base.log_prob(z, label.expand(5, 2)))
    assert base.sample(5, (3,), label).shape == (5, 3)


def test_labels_of_images_may_have_one_position() -> None:
    torch.manual_seed(0)
    base = ConditionalNormal(nn.Conv2d(2, 6, 1), event_dims=3).double()
    z, label = torch.randn(5, 3, 4, 2, dtype=torch.float64), torch.randn(5, 2, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(base.log_prob(z, label), base.log_prob(z, label.expand(5, 2, 4, 2)))
    assert base.sample(5, (3, 4, 2), label).shape == (5, 3, 4, 2)


def test_classes_by_an_embedding() -> None:
    classes = nn.Embedding(2, 2)
    with torch.no_grad():
        classes.weight.copy_(torch.tensor([[-5.0, 0.0], [5.0, -1.0]]))
    base = ConditionalNormal(classes)
    label = torch.tensor([0, 1]).repeat(5000)
    drawn = base.sample(10000, (1,), label, generator=torch.Generator().manual_seed(0)).detach()
    # Five standard errors of 5000 samples.
    assert abs(drawn[label == 0].mean() + 5) < 5 / 5000**0.5
    assert abs(drawn[label == 1].std() - torch.tensor(-1.0).exp()) < 5 / 10000**0.5


def test_shapes_that_do_not_fit_are_refused() -> None:
    base = ConditionalNormal(nn.Linear(2, 6))
    with pytest.raises(ValueError, match="depends on a label: pass label="):
        base.log_prob(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="depends on a label: pass label="):
        base.sample(5, (3,))
    with pytest.raises(ValueError, match="the conditioner gave 6 channels, 8 are needed"):
        base.log_prob(torch.zeros(5, 4), torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"means of shape \(4, 3\), which do not fit latents of shape \(5, 3\)"):
        base.log_prob(torch.zeros(5, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"means of shape \(4, 3\), which do not fit latents of shape \(1, 3\)"):
        base.sample(1, (3,), torch.zeros(4, 2))


@pytest.mark.parametrize("samples", [3, 5])
def test_a_flow_knows_what_dimensions_labels_have(samples: int) -> None:
    """By the first layer of the network: with as many labels as entries, pairs of all would fit as well."""
    flow = Flow(Reversal(2), ConditionalNormal(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4))), (2,))
    assert flow.log_prob(torch.randn(samples, 2), label=torch.randn(samples, 3)).shape == (samples,)
    assert flow.sample((7,), label=torch.randn(samples, 3)).shape == (7, samples, 2)
    classes = Flow(Reversal(2), ConditionalNormal(nn.Embedding(9, 4)), (2,))
    assert classes.log_prob(torch.randn(samples, 2), label=torch.arange(samples)).shape == (samples,)
