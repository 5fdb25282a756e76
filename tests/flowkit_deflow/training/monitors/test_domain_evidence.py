import math

import pytest

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.domain_evidence import DOMAIN_EVIDENCE, separation
from flowkit_deflow.training.monitors.history import History
from tests.flowkit_deflow.training.monitors.snapshots import KnownLatents, model_with

STRENGTH = 0.75


def finding(measured: dict[str, float]) -> str:
    history = History()
    history.add(1, measured)
    found = DOMAIN_EVIDENCE.find(history, Run())
    assert found is not None
    return found.advice


def test_expected_evidence_is_the_divergence_of_the_two_priors() -> None:
    scalars = DOMAIN_EVIDENCE.measure(KnownLatents(model_with(STRENGTH), 1.0))
    variance = 1 + STRENGTH**2
    # Kullback-Leibler divergences of N(0, variance) and N(0, 1) in each direction, in bits.
    degraded = (variance - 1 - math.log(variance)) / 2 / math.log(2)
    clean = -(1 / variance - 1 + math.log(variance)) / 2 / math.log(2)
    # The median over 32 crops of a mean over 768 numbers: a standard error of about 0.006.
    assert scalars["expected_evidence_degraded"] == pytest.approx(degraded, abs=0.02)
    assert scalars["expected_evidence_clean"] == pytest.approx(clean, abs=0.02)


def test_latents_of_the_models_own_priors_are_told_apart_as_it_expects() -> None:
    scalars = DOMAIN_EVIDENCE.measure(KnownLatents(model_with(STRENGTH), math.sqrt(1 + STRENGTH**2)))
    observed, expected = separation(scalars)
    assert observed == pytest.approx(expected, rel=0.1)
    assert finding(dict(scalars)) == ""


@pytest.mark.parametrize(
    ("deviation", "advice"), [(1.0, "motifs of its own images"), (2.0, "more than the shift explains")]
)
def test_other_latents_are_found(deviation: float, advice: str) -> None:
    assert advice in finding(dict(DOMAIN_EVIDENCE.measure(KnownLatents(model_with(STRENGTH), deviation))))


def test_a_shift_of_next_to_nothing_is_found() -> None:
    assert "next to nothing" in finding(dict(DOMAIN_EVIDENCE.measure(KnownLatents(model_with(0.01), 1.0))))


def test_a_shift_without_a_likelihood_has_no_evidence() -> None:
    assert DOMAIN_EVIDENCE.measure(KnownLatents(model_with(0.0), 1.0)) == {}
    assert DOMAIN_EVIDENCE.find(History(), Run()) is None
