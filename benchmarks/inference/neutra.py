"""NeuTra: Hamiltonian Monte Carlo in the latents of a flow that was trained by the reverse divergence.

Hoffman, Sountsov, Dillon, Langmore, Tran and Vasudevan, "NeuTra-lizing bad geometry in Hamiltonian Monte Carlo using
neural transport", 2019. The sampler is Pyro's NUTS and the reparametrisation Pyro's ``NeuTraReparam``, for all flows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pyro
import torch
from pyro.infer import MCMC, NUTS
from pyro.infer.autoguide import AutoNormalizingFlow
from pyro.infer.mcmc.util import initialize_model
from pyro.infer.reparam import NeuTraReparam
from pyro.ops.integrator import potential_grad
from pyro.ops.stats import effective_sample_size
from torch import Tensor

from benchmarks.density.architectures import Masked
from benchmarks.inference.job import Figures
from benchmarks.inference.probabilistic import MODELS, joined
from benchmarks.inference.reverse_kl import Descent, built, descend
from benchmarks.inference.sampler import Sampler
from benchmarks.inference.targets import TARGETS, Target

__all__ = ["NO_FLOW", "NeuTra"]

NO_FLOW = "no flow"
"""In place of a library: NUTS on the model as it is."""

NO_START = "Model specification seems incorrect - cannot find valid initial params."
"""What Pyro says where no place has a finite density."""

DEEPEST_TREE = 8
"""Doublings of a trajectory: 255 gradients at most."""


@dataclass(frozen=True)
class NeuTra:
    """A chain on a target, by way of a flow."""

    kind: ClassVar[str] = "NeuTra"
    timed_as: ClassVar[str] = "gradient"
    problem: str
    model: str
    library: str
    settings: Masked
    seed: int
    descent: Descent
    warm_up: int = 300
    samples: int = 1000

    def measure(self) -> Figures:
        """Effective samples per second after the warm-up, and how far moments are off.

        Both are of the samples taken back to standard normal numbers: the effective samples of the worst of them, and
        the root mean square of the errors of their means and deviations. A chain that cannot start has no effective
        samples, and deviations of 0.
        """
        target = TARGETS[self.problem]
        model, neutra, training = MODELS[self.problem], None, 0.0
        if self.library != NO_FLOW:
            sampler = built(target, self.model, self.library, self.settings, self.seed)
            training = descend(sampler, target, self.descent)
            neutra = _reparametrisation(model, sampler)
            model = neutra.reparam(model)
        # What a chain that cannot start is as good as, one that stays where it is: the flow's training diverged.
        u, effective, seconds, rate = torch.zeros(2, target.features), 0.0, 0.0, 0.0
        try:
            drawn, seconds = self._chain(model)
        except ValueError as error:
            if str(error) != NO_START:
                raise
        else:
            with torch.no_grad():
                x = joined(neutra.transform_sample(*drawn.values()) if neutra else drawn)
                u, _ = target.to_normal(x.double())
            effective = float(effective_sample_size(u[None], chain_dim=0, sample_dim=1).min())
            rate = effective / seconds
        return {
            "ESS": effective,
            "ESS per second": rate,
            "error": _error_of_moments(u),
            "seconds": seconds,
            "training": training,
        }

    def timed(self) -> Callable[[], object]:
        """The gradient of the potential: what a step of the trajectory costs."""
        target: Target = TARGETS[self.problem]
        sampler = built(target, self.model, self.library, self.settings, self.seed)
        model = MODELS[self.problem]
        initial, potential, *_ = initialize_model(_reparametrisation(model, sampler).reparam(model))
        # A place of its own each time, as along a trajectory: of a tensor that they know, transforms keep the result.
        return lambda: potential_grad(potential, {name: value.clone() for name, value in initial.items()})

    def _chain(self, model: Callable[[], None]) -> tuple[dict[str, Tensor], float]:
        """Samples by variable, and processor time of those after the warm-up, in seconds."""
        pyro.set_rng_seed(self.seed)
        began = 0.0

        def watch(kernel: Any, samples: Any, stage: str, i: int) -> None:
            nonlocal began
            if not stage.startswith("Sample"):
                began = time.process_time()

        chain = MCMC(
            NUTS(model, max_tree_depth=DEEPEST_TREE),
            self.samples,
            warmup_steps=self.warm_up,
            hook_fn=watch,
            disable_progbar=True,
        )
        chain.run()
        return chain.get_samples(), time.process_time() - began


def _reparametrisation(model: Callable[[], None], sampler: Sampler) -> Any:
    """Of a model whose parameters, those of a flow, are fixed."""
    sampler.module.requires_grad_(False).eval()
    pyro.clear_param_store()
    transform = sampler.transform()
    guide = AutoNormalizingFlow(model, lambda features: transform)
    guide()
    return NeuTraReparam(guide)


def _error_of_moments(u: Tensor) -> float:
    """Of what is standard normal if the chain is right, ``number x features``."""
    return float(torch.cat([u.mean(0), u.std(0) - 1]).square().mean().sqrt())
