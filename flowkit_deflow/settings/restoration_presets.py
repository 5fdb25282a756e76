"""Named settings of restoration networks: one for two CPU cores, and the paper's two stages."""

from dataclasses import replace
from difflib import get_close_matches

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.restoration import (
    RestorerArchitecture,
    RestorerData,
    RestorerLosses,
    RestorerRun,
    RestorerTraining,
)

__all__ = ["RESTORER_PRESETS", "restorer_preset"]

# ESRGAN's first stage: the same network, trained for PSNR.
_PSNR = RestorerRun(
    architecture=RestorerArchitecture("rrdb", features=64, blocks=23, growth=32),
    training=RestorerTraining(
        steps=1_000_000,
        learning_rate=2e-4,
        halve_at=(0.2, 0.4, 0.6, 0.8),
        checkpoint_every=1000,
        validate_every=10_000,
        judge="psnr",
    ),
)

RESTORER_PRESETS: dict[str, RestorerRun] = {
    "small": RestorerRun(
        architecture=RestorerArchitecture("residual", features=32, blocks=6),
        data=RestorerData(crop=96),
        training=RestorerTraining(
            steps=3000, batch=8, learning_rate=1e-3, checkpoint_every=250, validate_every=500, workers=1
        ),
    ),
    "psnr": _PSNR,
    # Sec. 5.2 of the paper: halved after 5, 10, 20 and 30 thousand steps of 60. It starts from the weights of `psnr`
    # (training.weights).
    "esrgan": replace(
        _PSNR,
        losses=RestorerLosses(l1=1e-2, features=1.0, adversarial=5e-3),
        training=replace(
            _PSNR.training,
            steps=60_000,
            learning_rate=1e-4,
            halve_at=(1 / 12, 1 / 6, 1 / 3, 1 / 2),
            judge="lpips-alex",
        ),
    ),
    "tiny": RestorerRun(
        architecture=RestorerArchitecture("residual", features=8, blocks=1),
        data=RestorerData(crop=16),
        training=RestorerTraining(
            steps=8, batch=2, learning_rate=1e-3, checkpoint_every=2, validate_every=4, log_every=1, workers=0
        ),
    ),
}


def restorer_preset(name: str) -> RestorerRun:
    """A preset by name.

    Args:
        name: a name in ``RESTORER_PRESETS``.

    Returns:
        Its settings, without folders.

    Raises:
        UserError: no such preset; the nearest name is proposed.

    References:
        X. Wang, K. Yu, S. Wu, J. Gu, Y. Liu, C. Dong, Y. Qiao, C. C. Loy, "ESRGAN: Enhanced Super-Resolution Generative
        Adversarial Networks", ECCV workshops 2018, sec. 4.1, for ``psnr``.
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021, sec. 5.2, for ``esrgan``.

    Examples:
        >>> restorer_preset("esrgan").losses.adversarial
        0.005
    """
    if name in RESTORER_PRESETS:
        return RESTORER_PRESETS[name]
    near = get_close_matches(name.lower(), RESTORER_PRESETS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(RESTORER_PRESETS)}"
    raise UserError(f"restorer preset {name!r} is unknown; {hint}")
