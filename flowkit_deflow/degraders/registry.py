"""Every kind of degrader by its name."""

from pathlib import Path

from flowkit_deflow.degraders.adversarial.probabilistic import ProbabilisticDegradation
from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation, Translation
from flowkit_deflow.degraders.camera_noise import CameraNoise
from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.mixture import Mixture
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.model_folder import read_model_folder

__all__ = ["DEGRADERS", "load_degrader"]

KINDS: tuple[type[Degrader], ...] = (
    DeFlow,
    WhiteNoise,
    HandWritten,
    Identity,
    CameraNoise,
    NoiseInjection,
    Translation,
    DomainAwareTranslation,
    ProbabilisticDegradation,
    Mixture,
)
DEGRADERS: dict[str, type[Degrader]] = {kind.kind: kind for kind in KINDS}


def load_degrader(folder: str | Path) -> Degrader:
    """Read a model folder of any kind.

    Args:
        folder: the folder.

    Returns:
        The degrader, in evaluation mode, on the CPU.

    Raises:
        UserError: a file is missing or damaged, or the folder holds a kind that is unknown here.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "model"
        >>> WhiteNoise(sigma=0.1).save_pretrained(folder)
        >>> type(load_degrader(folder)).__name__
        'WhiteNoise'
    """
    stored = read_model_folder(folder)
    if stored.kind not in DEGRADERS:
        raise UserError(
            f"{stored.config}: is a model of the kind {stored.kind!r}, which is unknown here; there are: "
            f"{', '.join(DEGRADERS)}"
        )
    return DEGRADERS[stored.kind].from_pretrained(folder)
