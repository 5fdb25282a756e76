"""What the checks of the contract find in nflows' own transforms, and why; as a page with ``python -m``."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowkit.testing.properties import PROPERTIES
from tests.flowkit.interop.nflows_transforms import LEFT_OUT, TRANSFORMS

__all__ = ["BESIDE", "CAUSES", "EVERY", "FINDINGS", "NFLOWS", "Cause", "page"]

# The release that was looked at; another one is to be looked at anew.
NFLOWS = "0.14"

# All properties; those that have nothing to say of a transform are passed over.
EVERY = frozenset(prop.id for prop in PROPERTIES)


@dataclass(frozen=True)
class Cause:
    """A reason why checks fail.

    Args:
        bug: whether nflows gives wrong numbers, or does not do what it offers; else it is a limit that it has without
            claiming otherwise.
        text: the reason, for the page.
        sign: what the messages of the failures have in common.
    """

    bug: bool
    text: str
    sign: str


CAUSES: Mapping[str, Cause] = {
    "torch.solve": Cause(
        bug=True,
        text="`inverse` calls `torch.solve`, which PyTorch has removed: there is no inverse any more. (Every property "
        "looks at both directions.)",
        sign=r"torch\.solve|function solve|Low precision dtypes",
    ),
    "identity of default type": Cause(
        bug=True,
        text="In eval mode, a cached `inverse` solves against `torch.eye(features)`, made in the default type on the "
        "CPU: in float64, or on an accelerator, it raises. (Every property looks at both directions, in float64.)",
        sign=r"b of type Float and A of type (Double|BFloat16)|triangular_solve|b on cpu and A on meta",
    ),
    "stale cache": Cause(
        bug=True,
        text="In eval mode, the matrix, its inverse and the log-determinant are kept until `train()` is called: "
        "neither `load_state_dict` nor a change of the parameters reaches the results, copies take the cached ones "
        "along, and what was cached without gradients stays without.",
        sign=(
            r"left something on self|no gradient|graph a second time|after load_state_dict|no longer has"
            r"|changed in place|were changed|by functional_call"
        ),
    ),
    "zero reflections": Cause(
        bug=True,
        text="The vectors of reflections start as rows of an identity of `features` columns, each twice: from "
        "`2 * features + 2` reflections on some are zero, and a division by their length makes every result nan. (An "
        "odd number over `2 * features` raises `IndexError` when the transform is made.)",
        sign=r"off by nan|not the slope|not finite",
    ),
    "multiple of four": Cause(
        bug=True,
        text="`inverse` asks for a multiple of 4 channels whatever the factor, and so refuses what `forward` gives. "
        "(Every property looks at both directions.)",
        sign=r"Invalid number of channel dimensions|Observed exception|missing: WITH_EXCEPT_START",
    ),
    "unsummed": Cause(
        bug=True,
        text="With more than one feature the log-determinant is not summed: one number for each element, where one "
        "for each sample is due.",
        sign=r"gave a log-determinant of shape|Observed exception|missing: WITH_EXCEPT_START",
    ),
    "shifted end": Cause(
        bug=True,
        text="The search for the bin adds 1e-6 to the last entry of the cumulative sums in place, and the inverse then "
        "takes the last bin's slope from them: it is off by up to 1e-5 there. Its bin boundaries are made in the "
        "default type, which costs another 1e-8 in float64.",
        sign=r"is off by \d",
    ),
    "zero over zero": Cause(
        bug=True,
        text="Where the cubic coefficient is under 1e-3 the inverse solves a quadratic and divides by its leading "
        "coefficient. Equal widths and heights, where a network starts whose last layer is zero, make that 0 / 0: nan. "
        "Near them, the cubic term that is left out costs up to 1e-5.",
        sign=r"off by nan|got nan|not the slope|not finite",
    ),
    "float32 constant": Cause(
        bug=True,
        text="The logarithm of the slope is a float32 tensor outside the state dict: in float64 the log-determinant is "
        "off by some 1e-8, to 1e-7, for each negative element.",
        sign=r"the log-determinant of \w+ against its autograd Jacobian's is off by \d\.\de-0[78]",
    ),
    "left on the CPU": Cause(
        bug=True,
        text="A tensor is made on the CPU, or stays there when the module is moved: on any other device it raises.",
        sign=r"is not on the expected device cpu|Cannot copy out of meta tensor",
    ),
    "tanh saturates": Cause(
        bug=True,
        text="The log-determinant is log(1 - tanh(x)^2), which is minus infinity once tanh(x) rounds to 1: over 9 in "
        "float32, over 19 in float64. The same number is finite as 2 (log 2 - x - softplus(-2x)).",
        sign=r"log-determinant that is not finite",
    ),
    "no interval": Cause(
        bug=False,
        text="The inverse is an exponential, of values over the cut; at 1e4 it overflows. The interval in which it "
        "does not is stated nowhere.",
        sign=r"inverse of values of size 10000 .* result that is not finite",
    ),
    "stray error": Cause(
        bug=False,
        text="An event of another size is refused by an `IndexError` about a mask inside, not by a `ValueError` or a "
        "`RuntimeError` about its shape.",
        sign=r"IndexError: The shape of the mask",
    ),
    "branches": Cause(
        bug=False,
        text="Python branches on the values of tensors, and boolean masks select from them: no single graph for "
        "`torch.compile(fullgraph=True)`, no batching rule for `torch.func.vmap`, and no shapes on the meta device.",
        sign=(
            r"[Dd]ata-dependent|Dynamic control flow|boolean mask|cannot be called on meta tensors"
            r"|torch\.nonzero|aten(::|\.)nonzero"
        ),
    ),
    "boolean masks": Cause(
        bug=False,
        text="Boolean masks select from tensors: there is no batching rule for `torch.func.vmap`, and no shape on the "
        "meta device.",
        sign=r"boolean mask|torch\.nonzero|aten(::|\.)nonzero",
    ),
    "NumPy in between": Cause(
        bug=False,
        text="Sizes are computed with NumPy, which `torch.compile(fullgraph=True)` does not trace through.",
        sign=r"`range` with argument types \['ndarray'\]|range \[.*NumpyNdarrayVariable|numpy function",
    ),
    "half precision": Cause(
        bug=False,
        text="Triangular solves, determinants and products of two types are taken in the parameters' own type: in "
        "bfloat16 some raise, and the square roots that invert quadratic and cubic bins round to 0, where their "
        "gradient is infinite.",
        sign=(
            r"not implemented for 'BFloat16'|Low precision dtypes|dtypes match|must have the same dtype"
            r"|gradient that is not finite"
        ),
    ),
    "old cast": Cause(
        bug=False,
        text="`Tensor.type(torch.Tensor)` is not traced by `torch.compile`.",
        sign=r"Tensor\.type\(\)|torch\._C\._TensorMeta",
    ),
}

_WIDTH = {"stray error": frozenset({"other_event_shapes"})}
_BRANCHES = {"branches": frozenset({"compile", "vmap", "devices"})}
# Elsewhere than on the CPU the tensor that stayed there is met before any branch.
_LEFT_BEHIND = {"branches": frozenset({"compile", "vmap"}), "left on the CPU": frozenset({"devices"})}
_LINEAR_SPLINE = {
    "shifted end": frozenset({"round_trip_of_data", "round_trip_of_latents", "log_dets_cancel"}),
    **_BRANCHES,
}
_NAN = frozenset(
    {
        "round_trip_of_data",
        "round_trip_of_latents",
        "log_det_of_jacobian",
        "batch_independence",
        "batch_shapes",
        "gradients",
        "parameter_gradients",
        "bind",
    }
)
# A refusal is a refusal, whatever for.
_BOTH_WAYS = EVERY - {"other_event_shapes"}
_IN_FLOAT64 = _BOTH_WAYS - {"float32_round_trip", "autocast_log_det", "autocast_round_trip"}
_HALF = {"half precision": frozenset({"half_precision"})}
_NUMPY = {"NumPy in between": frozenset({"compile"})}

# Transform to cause to the properties that fail for it; a transform that is not here keeps every one.
FINDINGS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "NaiveLinear": {"torch.solve": _BOTH_WAYS},
    "LULinear": _HALF,
    "QRLinear": _HALF,
    "OneByOneConvolution": _HALF,
    "LULinear, cached": {"identity of default type": _IN_FLOAT64},
    "SVDLinear, cached": {
        "stale cache": frozenset(
            {
                "state_untouched",
                "parameter_gradients",
                "state_dict",
                "deepcopy",
                "pickle",
                "updates_take_effect",
                "functional_call",
            }
        )
    },
    "HouseholderSequence, eight of three features": {"zero reflections": _NAN},
    "SqueezeTransform, factor 3": {"multiple of four": EVERY},
    "Tanh": {"tanh saturates": frozenset({"extreme_inputs"}), **_BRANCHES},
    "LogTanh": {"no interval": frozenset({"extreme_inputs"}), "boolean masks": frozenset({"vmap", "devices"})},
    "LeakyReLU": {
        "float32 constant": frozenset({"log_det_of_jacobian"}),
        "left on the CPU": frozenset({"devices"}),
        "old cast": frozenset({"compile"}),
    },
    "Sigmoid": _LEFT_BEHIND,
    "Sigmoid, learned": _BRANCHES,
    "Logit": _BRANCHES,
    "CauchyCDF": _BRANCHES,
    "CauchyCDFInverse": _BRANCHES,
    "GatedLinearUnit": {"unsummed": _BOTH_WAYS},
    "PiecewiseLinearCDF": _LINEAR_SPLINE,
    "PiecewiseLinearCDF, tails": {**_LINEAR_SPLINE, **_WIDTH, **_HALF},
    "PiecewiseQuadraticCDF": _BRANCHES,
    "PiecewiseQuadraticCDF, tails": {**_BRANCHES, **_WIDTH},
    "PiecewiseCubicCDF": {**_BRANCHES, **_HALF},
    "PiecewiseCubicCDF, from zeros": {"zero over zero": _NAN | {"log_dets_cancel", "half_precision"}, **_BRANCHES},
    "PiecewiseCubicCDF, tails": {**_BRANCHES, **_WIDTH, **_HALF},
    "PiecewiseRationalQuadraticCDF": _BRANCHES,
    "PiecewiseRationalQuadraticCDF, tails": {**_BRANCHES, **_WIDTH},
    "CompositeCDFTransform": _LEFT_BEHIND,
    "PiecewiseLinearCouplingTransform": {**_LINEAR_SPLINE, **_HALF},
    "PiecewiseQuadraticCouplingTransform": {**_BRANCHES, **_HALF},
    "PiecewiseCubicCouplingTransform": _BRANCHES,
    "PiecewiseRationalQuadraticCouplingTransform": _BRANCHES,
    "PiecewiseRationalQuadraticCouplingTransform, conditional": _BRANCHES,
    "PiecewiseRationalQuadraticCouplingTransform, images": _BRANCHES,
    "MaskedAffineAutoregressiveTransform": _NUMPY,
    "MaskedAffineAutoregressiveTransform, conditional": _NUMPY,
    "MaskedPiecewiseLinearAutoregressiveTransform": {**_LINEAR_SPLINE, **_HALF},
    "MaskedPiecewiseQuadraticAutoregressiveTransform": {**_BRANCHES, **_HALF},
    "MaskedPiecewiseCubicAutoregressiveTransform": _BRANCHES,
    "MaskedPiecewiseRationalQuadraticAutoregressiveTransform": _BRANCHES,
    "MultiscaleCompositeTransform": _NUMPY,
}

# What the checks do not look at, or cannot see; the tests hold each.
BESIDE: Mapping[str, str] = {
    "ActNorm": "A first training batch of one vector has no standard deviation: scale and shift become nan, for good. "
    "So does the scale of a feature that is constant in the first batch, infinite.",
    "BatchNorm": "In training mode it normalises by the batch's own statistics and has no inverse (as nflows says): a "
    "sample's result depends on its neighbours. The checks run in eval mode, where it is a bijection.",
    "Sigmoid": "The inverse clamps its input to [1e-6, 1 - 1e-6]: what came from over 13.8 does not come back. A "
    "temperature that is not learned is no buffer: it stays on the CPU, and out of the state dict.",
    "LeakyReLU": "The log-determinant is made on the CPU, wherever the input is.",
    "AffineCouplingTransform": "Every coupling calls its network with the context as a second argument: nflows' own "
    "`MLP` takes one, and cannot be used.",
    "DiagonalNormal": "`sample` is not implemented; `mean()` returns the method itself; of events with more than one "
    "dimension `log_prob` raises.",
    "ConditionalDiagonalNormal": "As of every distribution, `sample` with a context and a `batch_size` joins the parts "
    "along the contexts' dimension, not the samples'.",
    "StandardNormal": "It draws in PyTorch's default type, whatever type the module has. "
    "(`DistributionFromNflows` casts.)",
}


def page() -> str:
    """The page of the reference, in Markdown."""
    kept = [name for name in TRANSFORMS if name not in FINDINGS]
    lines = [
        "# What the checks find in nflows",
        "",
        f"nflows {NFLOWS}, seen through `flowkit.interop.nflows.FromNflows` by the checks of `flowkit.testing`. The "
        "tests hold this page to what is found, both ways: a failure that is not listed "
        "fails them, and so does one that is listed and no longer there. It is written by "
        "`python -m tests.flowkit.interop.nflows_findings`.",
        "",
        "nflows never promised flowkit's contract, so a failure is not a bug by itself: the causes under *Bugs* are, "
        "those under *Limits* are ways of nflows that the contract does not allow. What the adapter makes up for does "
        "not count: nflows takes exactly one batch dimension, contexts of as many rows, no intervals, no shapes "
        "without running, vectors in place of several latents, and knows no autocast.",
        "",
        f"Of {len(TRANSFORMS)} cases, {len(kept)} keep every property; {sum(map(_has_bug, TRANSFORMS))} show a bug.",
        "",
        "## Case by case",
        "",
        "| case | properties that fail | cause |",
        "|---|---|---|",
    ]
    lines += [line for name in TRANSFORMS for line in _rows(name)]
    for heading, bug in (("Bugs", True), ("Limits", False)):
        lines += ["", f"## {heading}", ""]
        lines += [f"- **{name}**: {cause.text}" for name, cause in CAUSES.items() if cause.bug is bug]
    lines += ["", "## Beside the checks", "", "Of transforms and distributions, seen in passing:", ""]
    lines += [f"- `{name}`: {text}" for name, text in BESIDE.items()]
    lines += ["", "## Not checked", ""]
    lines += [f"- `{name}`: {why}" for name, why in LEFT_OUT.items()]
    return "\n".join(lines) + "\n"


def _has_bug(name: str) -> bool:
    return any(CAUSES[cause].bug for cause in FINDINGS.get(name, {}))


def _rows(name: str) -> list[str]:
    head, comma, variant = name.partition(",")
    shown = f"`{head}`{comma}{variant}"
    if name not in FINDINGS:
        return [f"| {shown} | none | |"]
    found = FINDINGS[name].items()
    return [f"| {'' if i else shown} | {_ids(ids)} | {cause} |" for i, (cause, ids) in enumerate(found)]


def _ids(properties: frozenset[str]) -> str:
    if properties >= _BOTH_WAYS:
        return "every one"
    if properties == _IN_FLOAT64:
        return "every one that runs it in float64 or on another device"
    # In the order in which they are checked.
    return ", ".join(prop.id for prop in PROPERTIES if prop.id in properties)


if __name__ == "__main__":
    print(page(), end="")
