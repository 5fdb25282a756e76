"""How long a training will take on this machine, told before its first step."""

import copy
import time

import torch

from flowkit_deflow.training.lightning_module import DeFlowTraining
from flowkit_deflow.training.progress import duration

__all__ = ["FEWEST_STEPS", "time_of_training"]

# Of a shorter training, two steps more would be a share of it that is noticed.
FEWEST_STEPS = 200


def time_of_training(module: DeFlowTraining) -> str:
    """How long a step and all of them take, by the second of two gradients on a copy of the model, on the CPU.

    The training itself is as if this had not been: weights, gradients and random numbers stay as they are.

    Args:
        module: the training, ready to start.
    """
    rehearsal = DeFlowTraining(copy.deepcopy(module.model), module.run, {})
    with torch.random.fork_rng(devices=[]):
        for _ in range(2):
            # The first one takes memory and chooses kernels.
            started = time.monotonic()
            loss, _ = rehearsal.batch_loss(module.first_batch)
            loss.backward()
    seconds = time.monotonic() - started
    steps = module.run.training.steps
    return f"A step takes {seconds:.2g} s here: about {duration(seconds * steps)} for {steps} steps."
