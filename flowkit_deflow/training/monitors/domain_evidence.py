r"""How well the shift tells the domains of held-out images apart, against what the model itself expects.

The evidence of a crop is :math:`\log p(z \mid Y) - \log p(z \mid X)` of its latents :math:`z`. If the model is right,
its values on clean and on degraded crops are those that it has on latents drawn from its own two priors.
"""

import math

from torch import Tensor

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latent_edits import Latents
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["DOMAIN_EVIDENCE", "NOTHING", "separation"]

# Bits per dimension: with less between the two domains, the shift is next to nothing.
NOTHING = 0.002
# Observed separation over the expected one, within which the model is about right.
LOWEST, HIGHEST = 0.6, 1.6


def measure(snapshot: Snapshot) -> Scalars:
    """Median evidence in bits per dimension: of held-out crops, and of latents drawn from the model's priors."""
    z = _standard_normal(snapshot, "clean latents")
    latents = {Domain.CLEAN: z, Domain.DEGRADED: snapshot.shifted(z, _standard_normal(snapshot, "shift"))}
    scalars = {}
    for domain, encoded in snapshot.encoded.items():
        name = domain.name.lower()
        scalars[f"evidence_{name}"] = _median_evidence(snapshot, encoded.z, domain)
        scalars[f"expected_evidence_{name}"] = _median_evidence(snapshot, latents[domain], domain)
    # Both domains are scored alike where the shift is measured after training.
    return scalars if scalars["expected_evidence_degraded"] else {}


def separation(scalars: Scalars) -> tuple[float, float]:
    """Evidence of degraded crops less that of clean ones: observed, and expected by the model."""
    return (
        scalars["evidence_degraded"] - scalars["evidence_clean"],
        scalars["expected_evidence_degraded"] - scalars["expected_evidence_clean"],
    )


def find(history: History, run: Run) -> Finding | None:
    """Whether held-out images are told apart as the model expects."""
    if not history.series("evidence_clean"):
        return None
    last = history.rows[-1].scalars
    observed, expected = separation(last)
    measured = (
        f"clean {last['evidence_clean']:+.3f} (expected {last['expected_evidence_clean']:+.3f}), degraded "
        f"{last['evidence_degraded']:+.3f} (expected {last['expected_evidence_degraded']:+.3f}) bits per dimension"
    )
    if not abs(expected) > NOTHING:
        return Finding(
            measured,
            "the shift is next to nothing: train longer, or raise architecture.shift_start and "
            "training.shift_rate_factor",
        )
    if observed < LOWEST * expected:
        return Finding(
            measured,
            "held-out images differ less than the model expects, which has taken the motifs of its own images for the "
            "degradation: give it more images, of the same kind in both folders, or fewer steps",
        )
    if observed > HIGHEST * expected:
        return Finding(
            measured, "held-out images differ by more than the shift explains: train longer, or raise the shift's rate"
        )
    return Finding(measured)


def _median_evidence(snapshot: Snapshot, z: Latents, domain: Domain) -> float:
    h = snapshot.crops[domain].h
    evidence = snapshot.log_prob(z, h, Domain.DEGRADED) - snapshot.log_prob(z, h, Domain.CLEAN)
    return float(evidence.median()) / snapshot.dimensions / math.log(2)


def _standard_normal(snapshot: Snapshot, use: str) -> tuple[Tensor, ...]:
    noise = SeededNoise(0, "domain evidence")
    levels = snapshot.encoded[Domain.CLEAN].z
    return tuple(noise(f"{use} {i}", level.shape).to(level) for i, level in enumerate(levels))


DOMAIN_EVIDENCE = Monitor("domain evidence", measure, find)
