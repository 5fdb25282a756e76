"""What is chosen for one pair of sets, and what pairs say of everything that was to choose from."""

import time
from typing import Any

from benchmarks.conditioning.sets import UnpairedSets
from flowkit_deflow.training.conditioning.choice import FACTORS, H_NOISES, choose_conditioning
from flowkit_deflow.training.conditioning.linear_deflow import LinearDeFlow

__all__ = ["measured"]


def measured(unpaired: UnpairedSets) -> dict[str, Any]:
    """The figures of the record."""
    start = time.process_time()
    chosen = choose_conditioning(unpaired.clean, unpaired.degraded)
    assert chosen.noise_std is not None
    assert chosen.overall_std is not None
    assert chosen.auc is not None
    seconds = time.process_time() - start
    true = []
    for factor in FACTORS:
        for h_noise in H_NOISES:
            model = LinearDeFlow(unpaired.clean, unpaired.degraded, factor, h_noise)
            true.append(
                {
                    "factor": factor,
                    "h_noise": h_noise,
                    "divergence": round(model.divergence(unpaired.pairs), 4),
                    "std": round(255 * model.overall_std, 2),
                }
            )
    noise = sum((degraded - clean).square().mean().item() for clean, degraded in unpaired.pairs) / len(unpaired.pairs)
    return {
        "name": unpaired.name,
        "images": [len(unpaired.clean), len(unpaired.degraded)],
        "true_std": round(255 * noise**0.5, 2),
        "chosen": {"factor": chosen.factor, "h_noise": chosen.h_noise},
        "processor_seconds": round(seconds, 1),
        "flat_std": round(255 * chosen.noise_std, 2),
        "overall_std": round(255 * chosen.overall_std, 2),
        "surviving_std": {str(factor): round(255 * std, 2) for factor, std in chosen.surviving_std.items()},
        "auc": round(chosen.auc.auc, 3),
        "rehearsed": [
            {"factor": trial.factor, "h_noise": trial.h_noise, "divergence": round(trial.divergence, 4)}
            for trial in chosen.trials
        ],
        "judged": true,
    }
