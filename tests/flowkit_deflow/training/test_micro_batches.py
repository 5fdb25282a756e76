import pytest
import torch
from torch import Tensor, nn

from flowkit_deflow.training.micro_batches import mean_in_parts


class Work(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
        self.unused = nn.Parameter(torch.zeros(2))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)
        self.x = torch.randn(7, 3).double()
        self.parts: list[slice] = []

    def forward(self, part: slice) -> Tensor:
        self.parts.append(part)
        return self.network(self.x[part]).squeeze(1).square() * self.frozen

    def gradients(self, at_once: int, factor: float = 1.0) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        mean, values = mean_in_parts(self, 7, at_once, self)
        (factor * mean).backward()
        return mean.detach(), values, [p.grad for p in self.parameters()]


@pytest.mark.parametrize("at_once", [1, 2, 3, 6, 7, 100])
@pytest.mark.parametrize("factor", [1.0, -0.5])
def test_values_and_gradients_are_those_of_the_whole(at_once: int, factor: float) -> None:
    work = Work()
    mean, values, gradients = work.gradients(at_once, factor)
    assert max(part.stop - part.start for part in work.parts) <= max(at_once, 1)
    whole = Work()
    expected = whole(slice(0, 7))
    (factor * expected.mean()).backward()
    torch.testing.assert_close(values, expected.detach())
    torch.testing.assert_close(mean, expected.detach().mean())
    for got, parameter in zip(gradients, whole.parameters(), strict=True):
        if parameter.grad is None:
            assert got is None
        else:
            torch.testing.assert_close(got, parameter.grad)


def test_a_bad_value_reaches_every_gradient() -> None:
    work = Work()
    mean, _ = mean_in_parts(work, 7, 2, work)
    (mean * torch.nan).backward()
    assert all(p.grad is not None and p.grad.isnan().all() for p in work.network.parameters())


def test_without_gradients_it_runs_whole() -> None:
    work = Work()
    with torch.no_grad():
        mean_in_parts(work, 7, 2, work)
    assert work.parts == [slice(0, 7)]


def test_gradients_add_up_over_calls() -> None:
    work = Work()
    work.gradients(2)
    once = [p.grad.clone() for p in work.network.parameters() if p.grad is not None]
    work.gradients(3)
    for parameter, gradient in zip(work.network.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


def test_only_a_part_is_stored() -> None:
    work, stored = Work(), []

    def pack(saved: Tensor) -> Tensor:
        stored.append(saved.shape)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        mean_in_parts(work, 7, 2, work)
    assert (7, 4) not in stored
    assert (2, 4) in stored
