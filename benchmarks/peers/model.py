"""What the works need of a model, whatever library it is of."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmarks.density.architectures import do_nothing

__all__ = ["Model", "cannot_sample", "compiled"]


@dataclass(frozen=True)
class Model:
    """A model of any library."""

    module: nn.Module
    """Holds all parameters."""
    log_prob: Callable[..., Tensor]
    """``batch x event``, and ``batch x context`` where it has a context, to ``batch``, in nats."""
    sample: Callable[..., Tensor]
    """How many, and one context ``1 x context`` where it has one, to ``batch x event``."""
    start: Callable[[Tensor], None] = do_nothing
    """Called once with data before anything else; where the library starts by itself, it has nothing to do."""

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those that are trained: FrEIA keeps its fixed permutations as parameters too."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    @property
    def size(self) -> int:
        """Numbers that are trained."""
        return sum(parameter.numel() for parameter in self.parameters)


def cannot_sample(number: int) -> Tensor:
    """The samples of a model whose library goes from the data to the latents alone."""
    raise NotImplementedError("there is no way from the latents to the data")


def compiled(model: Model) -> Model:
    """Both directions by ``torch.compile``, for the shapes of their first calls."""
    # What was compiled before, for other models, would count against the limit of variants of a function.
    torch.compiler.reset()
    return replace(
        model,
        log_prob=torch.compile(model.log_prob, dynamic=False),
        sample=torch.compile(model.sample, dynamic=False),
    )
