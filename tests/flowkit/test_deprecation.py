"""Public names in two tiers, and what becomes of those that moved or went."""

import subprocess
import sys
import warnings

import pytest

import flowkit
from flowkit import bijectors, distributions, models, nn, ops, transforms
from flowkit.deprecation import GONE, MOVED
from flowkit.models.registry import BUILT_IN

ROOMS = (bijectors, distributions, models, nn, ops, transforms)


@pytest.mark.parametrize("name", MOVED)
def test_a_name_that_moved_warns_and_is_the_same(name: str) -> None:
    home = MOVED[name]
    assert name in home.__all__
    assert name not in flowkit.__all__
    with pytest.warns(
        DeprecationWarning, match=rf"^flowkit\.{name} has moved: import it from {home.__name__}\."
    ) as seen:
        moved = getattr(flowkit, name)
    assert moved is getattr(home, name)
    assert seen[0].filename == __file__


def test_importing_by_name_warns_as_well() -> None:
    with pytest.warns(DeprecationWarning, match=r"flowkit\.Wrapper has moved: import it from flowkit\.bijectors"):
        from flowkit import Wrapper  # type: ignore[attr-defined]
    assert Wrapper is bijectors.Wrapper


@pytest.mark.parametrize("name", GONE)
def test_a_name_that_is_gone_says_what_takes_its_place(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"^flowkit\.{name} was removed in version 0\.2: (use|pass|apply) \w+"):
        getattr(flowkit, name)
    assert not hasattr(flowkit, name)


def test_what_never_was_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'flowkit' has no attribute 'Copuling'$"):
        flowkit.Copuling  # type: ignore[attr-defined]  # noqa: B018


def test_the_first_tier_and_the_rooms_warn_of_nothing() -> None:
    script = (
        "from flowkit import *\n"
        "import flowkit, flowkit.bijectors, flowkit.distributions, flowkit.models, flowkit.nn, flowkit.ops\n"
        "import flowkit.transforms, flowkit.testing\n"
        "[getattr(flowkit, name) for name in dir(flowkit)]\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_the_tiers() -> None:
    # Models by name are as many as there are.
    assert len(set(flowkit.__all__) - set(BUILT_IN)) <= 85
    assert not set(flowkit.__all__) & (MOVED.keys() | GONE.keys())
    assert not MOVED.keys() & GONE.keys()
    assert not set(dir(flowkit)) & (MOVED.keys() | GONE.keys())
    with warnings.catch_warnings(action="error"):
        # A name of the first tier that a room has too is the same thing.
        for room in ROOMS:
            for name in set(room.__all__) & set(flowkit.__all__):
                assert getattr(room, name) is getattr(flowkit, name)
