"""What the backward pass finds stored, by the name in a run's settings."""

from flowkit import Checkpointed, Reversible, Stored
from flowkit.bijectors import Activations

__all__ = ["ACTIVATIONS"]

ACTIVATIONS: dict[str, Activations] = {
    "stored": Stored(),
    "checkpointed": Checkpointed(),
    # Four steps of the flow: the gradients of all its parameters would be more than the values in between.
    "reversible": Reversible(segment=16),
}
