"""The methods: what ``deflow train`` is told to learn each degradation by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = [
    "ABLATION",
    "METHODS",
    "ORACLE",
    "WRITTEN",
    "Variant",
    "is_seeded",
    "learning",
    "named_settings",
    "on_track",
    "variant",
]


def _set(**settings: object) -> tuple[str, ...]:
    """Settings of DeFlow: single underscores in the names stay, double ones are the dot."""
    return tuple(part for name, value in settings.items() for part in ("--set", f"{name.replace('__', '.')}={value}"))


_DEFLOW = ("--preset", "small")
# What the paper has: one covariance learned from a small start, affine couplings, h's noise as it is published, and
# nothing on top.
_PAPER = (
    *_DEFLOW,
    *_set(
        architecture__coupling="affine",
        architecture__shift="correlated",
        architecture__shift_start=0.01,
        architecture__h_noise=0.03,
        architecture__grain="false",
        training__shift_rate_factor=1,
    ),
)

NO_GRAIN = "deflow, no grain"
"""The method whose degradation is the shift's alone, where photographs have flat places to measure grain at."""

# As strong as nobody can know without pairs: half of, and about, what PolyU's noise has, and twice that.
_STRENGTHS = {f"white {levels}": levels for levels in (2, 4, 8)}

_LEARNED: Mapping[str, Sequence[str]] = {
    "none": ("--degrader", "none"),
    "white": ("--degrader", "white"),
    "white_uniform": ("--degrader", "white", "--preset", "uniform"),
    **{
        name: ("--degrader", "white", *_set(noise__sigma=round(levels / 255, 4))) for name, levels in _STRENGTHS.items()
    },
    "camera": ("--degrader", "camera"),
    "impressionism": ("--degrader", "impressionism"),
    "frequency_separation": ("--degrader", "frequency_separation"),
    "dasr": ("--degrader", "dasr"),
    "cyclegan": ("--degrader", "cyclegan"),
    "pdm": ("--degrader", "pdm"),
    "deflow_paper": _PAPER,
    "deflow": _DEFLOW,
    NO_GRAIN: (*_DEFLOW, *_set(architecture__grain="false")),
}
WRITTEN = "handwritten"
"""The method that learns nothing: BSRGAN's pipeline."""
ORACLE = "oracle"
"""The method that is trained on real pairs."""


@dataclass(frozen=True)
class Variant:
    """A method, and what its restoration network is trained by besides.

    Attributes:
        base: the method whose degradation it is.
        extra_noise: standard deviation of white noise on top, for values in [0, 1].
        adversarial: whether a second stage with VGG's features and a GAN follows.
    """

    base: str
    extra_noise: float = 0.0
    adversarial: bool = False


_VARIANTS = {
    # In grey levels: chosen among 0, 2, 3, 4, 6 and 8 for DeFlow's, on the 39 scenes whose clean halves are trained on
    # and that are not judged.
    **{f"{base} + 6": Variant(base, extra_noise=6 / 255) for base in ("white 8", "deflow", ORACLE)},
    **{f"{base}, GAN": Variant(base, adversarial=True) for base in ("white", "impressionism", "deflow", ORACLE)},
}

METHODS = (*_LEARNED, WRITTEN, ORACLE, *_VARIANTS)

# The paper's form at the size of ``small``, which has 4 steps a level and h at a fourth of the size.
_PARTS: Mapping[str, Sequence[str]] = {
    **{f"K {steps}": (*_PAPER, *_set(architecture__steps=steps)) for steps in (2, 8)},
    **{f"h {factor}": (*_PAPER, *_set(architecture__factor=factor)) for factor in (8, 16)},
    "h none": (*_PAPER, *_set(architecture__factor="null")),
    "shift none": (*_PAPER, *_set(architecture__shift="none")),
    "shift uncorrelated": (*_PAPER, *_set(architecture__shift="uncorrelated")),
    "shift conditional": (*_PAPER, *_set(architecture__shift="binned")),
    "additive": (*_PAPER, *_set(architecture__coupling="additive")),
}

_ROWS = (
    *("K 2", "K 4", "K 8"),
    *("h 4", "h 8", "h 16", "h none"),
    *("shift none", "shift uncorrelated", "shift correlated", "shift conditional"),
    *("affine", "additive"),
)
ABLATION = {row: row if row in _PARTS else "deflow_paper" for row in _ROWS}
"""Table 4 of the paper: for each row the method that is measured."""

# The kinds whose degradation depends on no seed.
_UNSEEDED = ("none", "white", "white_uniform", *_STRENGTHS, "camera", "impressionism")


def learning(method: str, seed: int) -> list[str]:
    """The options of ``deflow train`` for a method of ``METHODS`` that is learned, or one of ``ABLATION``."""
    options = list({**_LEARNED, **_PARTS}[method])
    return options if method in _UNSEEDED else [*options, "--seed", str(seed)]


def is_seeded(method: str) -> bool:
    """Whether another seed is another degradation, not the same one drawn anew."""
    return method not in (*_UNSEEDED, WRITTEN)


def named_settings(method: str) -> Any:
    """The named settings that a method's ``--set`` changes: of other defaults, another degradation is learned."""
    from flowkit_deflow.degraders.learning.registry import LEARNERS
    from flowkit_deflow.settings.presets import preset

    options = dict(pairwise(learning(method, seed=0)))
    kind, name = options.get("--degrader", "deflow"), options.get("--preset")
    return LEARNERS[kind].preset(name) if kind in LEARNERS else preset(name or "")


def variant(method: str) -> Variant:
    """Whose degradation a method has, and what is trained on it.

    Examples:
        >>> variant("deflow"), variant("deflow, GAN").adversarial
        (Variant(base='deflow', extra_noise=0.0, adversarial=False), True)
    """
    return _VARIANTS.get(method, Variant(method))


def on_track(method: str, track: str) -> bool:
    """Whether a method is tried on a track: strengths of noise are those about PolyU's, and so is its grain.

    A GAN makes texture that a network for twice the pixels leaves out; noise in photographs of the same size it would
    make anew.
    """
    if variant(method).adversarial:
        return track != "R"
    return method not in (*_STRENGTHS, NO_GRAIN, *_VARIANTS) or track == "R"
