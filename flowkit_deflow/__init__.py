"""DeFlow: realistic image degradations learned from unpaired photographs (Wolf et al., CVPR 2021), on flowkit."""

import warnings

from flowkit_deflow.degraders.adversarial.probabilistic import ProbabilisticDegradation
from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation, Translation
from flowkit_deflow.degraders.camera_noise import CameraNoise
from flowkit_deflow.degraders.degradation import Degradation
from flowkit_deflow.degraders.degrader import Degrader, SupportsDegrade
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.handwritten.presets import PIPELINES
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.mixture import Mixture
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.degraders.paired_degradations import PairedDegradations
from flowkit_deflow.degraders.registry import DEGRADERS, load_degrader
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.noise import GeneratorNoise, NoiseSource, SeededNoise
from flowkit_deflow.images.resize import bicubic_downsample, pad_to_multiple
from flowkit_deflow.method.closed_form import ClosedForm, closed_form_1d
from flowkit_deflow.method.latents import Domain, LatentLabel, LatentModel
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.brightness import BrightnessShift
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.field import Posterior, ShiftField
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.method.shifts.shift import DomainShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from flowkit_deflow.restoration.published import load_restorer
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.settings.presets import PRESETS, preset
from flowkit_deflow.settings.restoration import RestorerArchitecture
from flowkit_deflow.settings.schema import Architecture, Data, Run, Training
from flowkit_deflow.training.memory import keep_freed_memory
from flowkit_deflow.weights.published import from_published, published_shapes, to_published
from flowkit_deflow.weights.rrdb_weights import load_rrdb

__version__ = "0.2.0"

__all__ = [
    "DEGRADERS",
    "PIPELINES",
    "PRESETS",
    "Architecture",
    "BinnedShift",
    "BrightnessShift",
    "CameraNoise",
    "ClosedForm",
    "CorrelatedShift",
    "Data",
    "DeFlow",
    "Degradation",
    "Degrader",
    "Domain",
    "DomainAwareTranslation",
    "DomainShift",
    "GeneratorNoise",
    "HandWritten",
    "Identity",
    "InferredShift",
    "LatentLabel",
    "LatentModel",
    "Mixture",
    "NoiseInjection",
    "NoiseSource",
    "PairedDegradations",
    "Posterior",
    "ProbabilisticDegradation",
    "RRDBEncoder",
    "Restorer",
    "RestorerArchitecture",
    "Run",
    "SeededNoise",
    "ShiftField",
    "SupportsDegrade",
    "Training",
    "Translation",
    "UncorrelatedShift",
    "UserError",
    "WhiteNoise",
    "bicubic_downsample",
    "closed_form_1d",
    "from_published",
    "keep_freed_memory",
    "load_degrader",
    "load_restorer",
    "load_rrdb",
    "pad_to_multiple",
    "preset",
    "published_shapes",
    "to_published",
]


def __getattr__(name: str) -> object:
    if name == "DeFlowDegradation":
        message = (
            "flowkit_deflow.DeFlowDegradation is now flowkit_deflow.Degradation; the former name goes with version 0.3"
        )
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return Degradation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
