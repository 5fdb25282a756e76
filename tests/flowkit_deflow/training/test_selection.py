import math

import pytest

from flowkit_deflow.training.selection import code_length, evidence, improves


def told_apart(observed: float, expected: float) -> dict[str, float]:
    return {
        "evidence_clean": -observed / 2,
        "evidence_degraded": observed / 2,
        "expected_evidence_clean": -expected / 2,
        "expected_evidence_degraded": expected / 2,
    }


def test_a_shorter_code_is_better() -> None:
    assert code_length({"bits_clean": 3.0, "bits_degraded": 4.0}) == 7.0


def test_evidence_is_best_where_it_is_as_expected() -> None:
    assert evidence(told_apart(0.2, 0.2)) == 0
    assert evidence(told_apart(0.1, 0.2)) == pytest.approx(evidence(told_apart(0.4, 0.2)))
    assert evidence(told_apart(0.1, 0.2)) < evidence(told_apart(0.05, 0.2))


@pytest.mark.parametrize(("observed", "expected"), [(0.0, 0.0), (-0.1, 0.2), (0.2, 1e-4)])
def test_next_to_no_shift_is_never_the_best(observed: float, expected: float) -> None:
    assert not improves(evidence(told_apart(observed, expected)), None)


def test_what_is_not_finite_is_never_the_best() -> None:
    assert not improves(math.nan, 1.0)
    assert not improves(math.inf, None)
