"""Which of torch's features every model works with, and the reason where one does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowkit.testing.check import check_property
from flowkit.testing.properties import PROPERTIES
from tests.flowkit.models import test_every_model, test_half_precision, test_meta_device
from tests.flowkit.models.torch_features import checks
from tests.flowkit.models.torch_features.rows import Row

__all__ = ["FEATURES", "REASONS", "Feature", "Reason", "reason"]

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
    "|data-dependent|tolist|builtin: vars|is_contiguous inside of vmap|not supported by meta conversion"
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
