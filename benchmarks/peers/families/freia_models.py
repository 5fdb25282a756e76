"""The family in FrEIA.

=== ====================================================================================================
gin blocks of two couplings, one of each half; the log-scale is 1.27 atan(a) less the mean, its default
=== ====================================================================================================
"""

from FrEIA.modules import GINCouplingBlock

from benchmarks.density.architectures import Coupling, Event
from benchmarks.peers.freia_models import blocks
from benchmarks.peers.model import Model

__all__ = ["gin"]


def gin(event: Event, settings: Coupling) -> Model:
    return blocks(event, settings, GINCouplingBlock)
