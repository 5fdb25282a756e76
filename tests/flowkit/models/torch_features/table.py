"""Which of torch's features every model works with, and the reason where one does not; as a page with ``python -m``."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flowkit.testing.check import check_property
from flowkit.testing.properties import PROPERTIES
from tests.flowkit.models import test_every_model, test_half_precision, test_meta_device
from tests.flowkit.models.torch_features import checks
from tests.flowkit.models.torch_features.rows import ROWS, Row

__all__ = ["FEATURES", "REASONS", "Feature", "Reason", "page", "reason"]

PROPERTY = {prop.id: prop for prop in PROPERTIES}
Check = Callable[[Row], None]


@dataclass(frozen=True)
class Feature:
    """A column: what it claims, and what proves it.

    Args:
        claim: what holds where the table has a tick, a sentence.
        check: fails where the claim does not hold.
        contract: the contract's property that says it of a bijector, and is checked in the catalogue.
        tests: tests of the suite that say it of whole flows, of every small model.
    """

    claim: str
    check: Check
    contract: str = ""
    tests: tuple[Callable[..., None], ...] = ()

    def is_proven_elsewhere(self, row: Row) -> bool:
        """Whether the suite proves a cell without this table's own check."""
        return bool(self.tests and row.listed) or bool(self.contract and row.has_contract(self.contract))


def of_contract(property_id: str, claim: str = "", tests: tuple[Callable[..., None], ...] = ()) -> Feature:
    """A column that is a property of the contract."""

    def check(row: Row) -> None:
        check_property(PROPERTY[property_id], row.subject)

    return Feature(claim or PROPERTY[property_id].statement, check, property_id, tests)


def of_check(check: Check) -> Feature:
    """A column that has a check of its own, whose docstring is what it claims."""
    assert check.__doc__ is not None
    return Feature(check.__doc__, check)


HALF = (
    "Densities and gradients with parameters and data in this type: densities in float32, near those of the same "
    "numbers in float32."
)

FEATURES: Mapping[str, Feature] = {
    "compile": of_contract("compile"),
    "export": of_check(checks.exported),
    "vmap": of_contract("vmap"),
    "functional_call": of_contract("functional_call"),
    "per-sample gradients": of_check(checks.per_sample),
    "double backward": of_check(checks.double_backward),
    "meta": of_contract(
        "meta_device",
        "Made on the meta device, a model gets memory and a state dict, or that with `assign=True`, and gives the same "
        "densities and samples as the one that was saved; without values it gives their shapes.",
        (
            test_meta_device.test_memory_then_a_state_dict,
            test_meta_device.test_the_state_dict_itself,
            test_meta_device.test_shapes_without_values,
        ),
    ),
    "bfloat16": of_contract(
        "half_precision", HALF, (test_half_precision.test_densities, test_half_precision.test_training)
    ),
    "float16": of_contract(
        "half_precision", HALF, (test_half_precision.test_densities, test_half_precision.test_training)
    ),
    "DDP": of_check(checks.distributed_data_parallel),
    "DataParallel": of_check(checks.data_parallel),
    "pickle": of_contract(
        "pickle", "A pickled and unpickled flow gives the same densities.", (test_every_model.test_copies_travel,)
    ),
    "threads": of_check(checks.threads),
}


@dataclass(frozen=True)
class Reason:
    """Why some cells have no tick.

    Args:
        rows: of the cells.
        features: their columns.
        text: a sentence, for the page.
        sign: what the messages of the failures have in common.
    """

    rows: tuple[str, ...]
    features: tuple[str, ...]
    text: str
    sign: str


# What torch 2.6, 2.11 and 2.13 say where their tracing ends at a transform of torch.func, or at what depends on values.
NOT_TRACED = (
    "doesn't have storage|meta conversion to view functorch tensor|Expected FakeTensor|cannot unpack non-iterable None"
    "|data-dependent|tolist|builtin: vars"
)

REASONS = (
    Reason(
        ("residual", "ffjord, equal steps", "flow_matching, equal steps"),
        ("export",),
        "The log-determinant takes a Jacobian by `torch.func.vjp`, which `torch.export` does not trace, while "
        "`torch.compile` does.",
        NOT_TRACED,
    ),
    Reason(
        ("ffjord, adaptive steps",),
        ("compile", "export", "vmap", "per-sample gradients"),
        "The adaptive solver, the default of `ffjord` and `flow_matching`, chooses its steps by values, which a whole "
        "graph and `torch.func` do not see: take `steps=`; `torch.compile` without `fullgraph=True` leaves the solver "
        "out of its graph.",
        f"adapts its steps to values|{NOT_TRACED}",
    ),
    Reason(
        ("jet", "tarflow"),
        ("double backward",),
        "On a CPU torch's fused attention has no second derivative; within "
        "`torch.nn.attention.sdpa_kernel(SDPBackend.MATH)` there is one.",
        "scaled_dot_product_.*is not implemented",
    ),
)


def reason(row: str, feature: str) -> Reason | None:
    """Why a cell has no tick; ``None`` where it has one."""
    return next((one for one in REASONS if row in one.rows and feature in one.features), None)


INTRODUCTION = """\
# Models under torch's features

Every named model under what torch offers to modules, with torch 2.13. A tick says that the claim below holds for a
small model of that kind, on a CPU; a number leads to the reason why it does not. Tests run every cell, those without a
tick as well, and compare this page with the table that drives them
(`python -m tests.flowkit.models.torch_features.table` prints it).
"""


def page() -> str:
    """The page."""
    return "\n".join([INTRODUCTION, *_table(), "", *_reasons(), "", "## What the ticks claim", "", *_claims(), ""])


def _table() -> Iterator[str]:
    yield f"| | {' | '.join(FEATURES)} |"
    yield "|---|" + ":-:|" * len(FEATURES)
    for name in ROWS:
        yield f"| {_title(name)} | {' | '.join(_cell(name, feature) for feature in FEATURES)} |"


def _title(row: str) -> str:
    name, _, variant = row.partition(", ")
    return f"`{name}`, {variant}" if variant else f"`{name}`"


def _cell(row: str, feature: str) -> str:
    why = reason(row, feature)
    return "✓" if why is None else str(REASONS.index(why) + 1)


def _reasons() -> Iterator[str]:
    for number, one in enumerate(REASONS, 1):
        yield f"{number}. {one.text}"


def _claims() -> Iterator[str]:
    for name, feature in FEATURES.items():
        yield f"- **{name}**: {feature.claim.replace('``', '`')} {_proof(feature)}".rstrip()


def _proof(feature: Feature) -> str:
    if feature.tests:
        files = sorted({f"`{test.__module__.replace('.', '/')}.py`" for test in feature.tests})
        return f"(Of whole flows, by {' and '.join(files)}.)"
    if feature.contract:
        return f"(The contract's property `{feature.contract}`, of the model's bijector or of each layer that it has.)"
    return ""


if __name__ == "__main__":
    print(page(), end="")
