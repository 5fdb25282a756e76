"""Named settings: the paper's three data sets, the same repaired for real noise (``+``), and smaller networks."""

from dataclasses import replace
from difflib import get_close_matches

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Architecture, ChannelStatistics, Data, Normalization, Run, Training

__all__ = ["AIM_NORMALIZATION", "DEFAULT_PRESET", "PRESETS", "PUBLISHED", "preset"]


def _statistics(mean: tuple[float, ...], std: tuple[float, ...]) -> ChannelStatistics:
    (m0, m1, m2), (s0, s1, s2) = mean, std
    return ChannelStatistics((m0 / 255, m1 / 255, m2 / 255), (s0 / 255, s1 / 255, s2 / 255))


# Channel statistics of the AIM-RWSR training images that the published AIM model was trained with (in grey levels).
AIM_NORMALIZATION = Normalization(
    clean=_statistics((114.47609804, 111.67182033, 103.29093697), (59.98190873, 57.2422813, 59.9127576)),
    degraded=_statistics((120.71678252, 115.66740282, 104.7566205), (54.14952531, 52.60073718, 55.64991431)),
    clean_h=_statistics((114.36107384, 111.57875743, 103.19098391), (53.36256634, 50.91536884, 54.04613198)),
    degraded_h=_statistics((120.71671803, 115.66735471, 104.75649595), (50.67423609, 49.07204813, 52.3704119)),
)

_PAPER = Run(
    architecture=Architecture(factor=4, levels=3, steps=16, hidden_channels=64, bins=32),
    data=Data(clean_downsample=(4,), crop=160, held_out=0.0),
    training=Training(steps=100_000, batch=8, learning_rate=5e-5, halve_at=(0.5, 0.75, 0.9, 0.95)),
)


def _repaired(run: Run) -> Run:
    """A run with what keeps the noise right on real photographs: docs/explanation/what-deflow-learns.md."""
    return replace(
        run,
        architecture=replace(
            run.architecture, h_noise="auto", coupling="additive", shift="binned", shift_start=0.3, grain=True
        ),
        data=replace(run.data, held_out=0.15),
        training=replace(run.training, shift_rate_factor=4.0),
    )


# Secs. 5.1 and 5.4 of the paper: X are clean photographs downsampled by 4, Y the degraded ones as they are.
_AIM = Run(
    architecture=replace(_PAPER.architecture, factor=8, hidden_channels=128),
    data=replace(_PAPER.data, normalize=True),
    training=replace(_PAPER.training, learning_rate=1e-4),
)
# DPED has no clean images like its own: X are the degraded ones, downsampled by 4 and by 8.
_DPED = Run(
    architecture=_PAPER.architecture,
    data=replace(_PAPER.data, clean_downsample=(4, 8), crop=80),
    training=replace(_PAPER.training, batch=48),
)
# For a laptop. Longer training makes the noise weaker: the flow learns to fit what it has to leave to the shift.
_SMALL = _repaired(
    Run(
        architecture=Architecture(
            factor=4,
            levels=2,
            steps=4,
            hidden_channels=32,
            split_after=(),
            encoder_features=16,
            encoder_growth=8,
            encoder_blocks=2,
            stack_blocks=(0,),
            bins=32,
        ),
        data=Data(crop=32),
        training=Training(
            steps=1500,
            batch=16,
            learning_rate=1e-3,
            warmup=50,
            clip_norm=100.0,
            checkpoint_every=200,
            image_every=500,
            workers=1,
        ),
    )
)

PRESETS: dict[str, Run] = {
    "aim": _AIM,
    "ntire": _PAPER,
    "dped": _DPED,
    "aim+": _repaired(_AIM),
    "ntire+": _repaired(_PAPER),
    "dped+": _repaired(_DPED),
    "small": _SMALL,
    # Twice the channels and steps of `small`, and eight times the pixels in a batch: for a GPU.
    "medium": replace(
        _SMALL,
        architecture=replace(
            _SMALL.architecture,
            steps=8,
            hidden_channels=64,
            encoder_features=32,
            encoder_growth=16,
            encoder_blocks=8,
            stack_blocks=(1, 4, 7),
        ),
        data=replace(_SMALL.data, crop=64),
        training=replace(_SMALL.training, steps=5000, batch=32, learning_rate=5e-4, checkpoint_every=500),
    ),
    "tiny": Run(
        architecture=Architecture(
            factor=4,
            levels=2,
            steps=1,
            plain_steps=1,
            hidden_channels=8,
            scale="bounded",
            encoder_features=8,
            encoder_growth=4,
            encoder_blocks=1,
            stack_blocks=(0,),
            bins=256,
        ),
        data=Data(crop=16),
        training=Training(
            steps=8, batch=4, learning_rate=1e-3, checkpoint_every=2, image_every=4, log_every=1, workers=1
        ),
    ),
}

# What a run takes that names none.
DEFAULT_PRESET = "small"

# The published checkpoints' architectures: training measures AIM's statistics, a checkpoint comes without them.
PUBLISHED: dict[str, Architecture] = {
    "aim": replace(PRESETS["aim"].architecture, normalization=AIM_NORMALIZATION),
    "ntire": PRESETS["ntire"].architecture,
    "dped": PRESETS["dped"].architecture,
}


def preset(name: str) -> Run:
    """A preset by name.

    Args:
        name: a name in ``PRESETS``.

    Returns:
        Its settings, without folders.

    Raises:
        UserError: no such preset; the nearest name is proposed.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        secs. 5.1 and 5.4, for ``aim``, ``ntire`` and ``dped``.

    Examples:
        >>> preset("aim").architecture.hidden_channels
        128
    """
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name.lower(), PRESETS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(PRESETS)}"
    raise UserError(f"preset {name!r} is unknown; {hint}")
