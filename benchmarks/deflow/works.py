"""What is timed: the same work done plainly and by flowkit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.deflow import plain
from benchmarks.deflow.networks import aim, images, labels
from flowkit import use_activations
from flowkit.bijectors import Activations
from flowkit_deflow import DeFlow, Domain, GeneratorNoise, pad_to_multiple
from flowkit_deflow.training.activations import ACTIVATIONS
from flowkit_deflow.training.micro_batches import mean_in_parts

__all__ = [
    "BATCH",
    "CHOICES",
    "WHOLE_IMAGE",
    "Choice",
    "TrainingStep",
    "degrade",
    "one_image_work",
    "plain_degrade",
    "samples_work",
    "training_work",
    "whole_image_work",
]

BATCH = 8
WHOLE_IMAGE = 339, 510
"""Height and width of an image of the AIM challenge."""


@torch.no_grad()
def degrade(model: DeFlow, image: Tensor, samples: int) -> Tensor:
    """flowkit: what a user calls."""
    return model.degrade(image, samples=samples, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def plain_degrade(model: DeFlow, image: Tensor, samples: int, encode_once: bool = False) -> Tensor:
    """The same plainly: for each sample encode, add u, decode; the encoding may be shared."""
    noise = GeneratorNoise(torch.Generator().manual_seed(0))
    padded, (height, width) = pad_to_multiple(image, model.config.alignment)
    h = model.h(padded, Domain.CLEAN)
    assert h is not None
    h = h + model.config.h_std * noise("h", h.shape).to(h)
    results: list[Tensor] = []
    z: tuple[Tensor, ...] = ()
    for sample in range(samples):
        if not (results and encode_once):
            z, _ = plain.encode(model, padded, h)
        u = tuple(noise(f"sample {sample} draw 0 level {i}", part.shape).to(part) for i, part in enumerate(z))
        x, _ = plain.decode(model, model.latents.degrade(z, u, 1.0), h)
        results.append(x[..., :height, :width].clamp(0, 1))
    return torch.stack(results)


DEGRADE: dict[str, Callable[[DeFlow, Tensor, int], Tensor]] = {
    "plain": plain_degrade,
    "flowkit": degrade,
    "plain, encoded once": partial(plain_degrade, encode_once=True),
}


@dataclass(frozen=True)
class Choice:
    """How a training step is made."""

    plainly: bool = False
    at_once: int = BATCH
    """Crops whose activations are in memory at a time."""
    activations: Activations = ACTIVATIONS["stored"]


CHOICES = {
    "plain": Choice(plainly=True),
    "flowkit": Choice(),
    "flowkit, 4 crops at once": Choice(at_once=4),
    "flowkit, 2 crops at once": Choice(at_once=2),
    "flowkit, 1 crop at once": Choice(at_once=1),
    "flowkit, 1 at once, checkpointed": Choice(at_once=1, activations=ACTIVATIONS["checkpointed"]),
    "flowkit, 1 at once, reversible": Choice(at_once=1, activations=ACTIVATIONS["reversible"]),
}


class TrainingStep:
    """Loss, gradients and Adam's step for a batch of crops.

    Args:
        choice: how it is made.
        model: what is trained.
        crops: ``B x 3 x H x W``, on the model's device; one half counts as clean, the other as degraded.
    """

    def __init__(self, choice: Choice, model: DeFlow, crops: Tensor) -> None:
        self.model = model.train()
        use_activations(self.model, choice.activations)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-5, fused=True)
        self.images, self.labels = crops, labels(len(crops)).to(crops.device)
        with torch.no_grad():
            h = self.model.h(self.images, Domain.CLEAN)
        assert h is not None
        self.h = h
        self.choice = choice
        self.log_prob = _plain_log_prob(model) if choice.plainly else model.flow.log_prob
        """Of shared colours, h and labels; may be replaced by a compiled one."""

    def _code_length(self, part: slice) -> Tensor:
        return -self.log_prob(self.images[part], self.h[part], label=self.labels[part])

    def gradients(self) -> Tensor:
        """The loss; gradients are left in the parameters."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, _ = mean_in_parts(self._code_length, len(self.images), self.choice.at_once, self.model)
        loss.backward()
        return loss.detach()

    def make_moments(self) -> None:
        """Make Adam's moments, which otherwise the first step makes, before the memory of a step is looked at."""
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def __call__(self) -> Tensor:
        loss = self.gradients()
        self.optimizer.step()
        return loss


def _plain_log_prob(model: DeFlow) -> Callable[..., Tensor]:
    def log_prob(x: Tensor, h: Tensor, *, label: Tensor) -> Tensor:
        z, log_det = plain.encode(model, x, h)
        return model.latents.log_prob(z, label=label) + log_det

    return log_prob


def training_work(implementation: str) -> Callable[[], object]:
    """For a process of its own."""
    step = TrainingStep(CHOICES[implementation], aim(), images(BATCH))
    step.make_moments()
    return step


def one_image_work(implementation: str) -> Callable[[], object]:
    """For a process of its own."""
    return partial(DEGRADE[implementation], aim().eval(), images(1), 1)


def samples_work(implementation: str) -> Callable[[], object]:
    """For a process of its own."""
    return partial(DEGRADE[implementation], aim().eval(), images(1), 8)


def whole_image_work(implementation: str) -> Callable[[], object]:
    """For a process of its own."""
    return partial(DEGRADE[implementation], aim().eval(), images(1, *WHOLE_IMAGE), 1)
