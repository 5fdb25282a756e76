"""The gallery's order; the same random numbers for each example, and a limit on its time."""

import os
import time
from pathlib import Path
from typing import Any

import torch
from sphinx.util import logging

__all__ = ["EXAMPLES", "LIMIT", "ByPlace", "before_and_after"]

logger = logging.getLogger(__name__)

# From a density in the plane to whole applications.
EXAMPLES = (
    "plot_density_2d.py",
    "plot_flow_matching.py",
    "plot_image_flow.py",
    "plot_own_bijector.py",
    "plot_plugin.py",
    "plot_nflows_pyro.py",
    "plot_deflow_closed_form.py",
    "plot_deflow_two_folders.py",
    "plot_restored_photograph.py",
)

# Seconds. Of the processor's time, that of worker processes included, which does not depend on what else runs on the
# machine: on two cores that are free an example takes no longer than this.
LIMIT = 60.0

_begun: dict[str, float] = {}


class ByPlace:
    """Sort key: an example's place in the list; one that is not in it fails the build.

    Args:
        source: the gallery's folder, which sphinx-gallery hands over.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def __call__(self, name: str) -> int:
        """The place of the file of that name."""
        return EXAMPLES.index(Path(name).name)


def before_and_after(gallery_conf: dict[str, Any], name: str, when: str) -> None:
    """Begin each example alike, whatever ran before it, and warn of one that takes too long."""
    if when == "before":
        torch.manual_seed(0)
        _begun[name] = _seconds()
    elif name in _begun:
        taken = _seconds() - _begun.pop(name)
        if taken > LIMIT:
            logger.warning("%s takes %.0f s, more than %.0f s: make it smaller", name, taken, LIMIT)


def _seconds() -> float:
    # Worker processes count once they have ended.
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system
