"""The table of torch's features as a page of the documentation: ``python -m`` prints it."""

from collections.abc import Iterator

from tests.flowkit.models.torch_features.rows import ROWS
from tests.flowkit.models.torch_features.table import FEATURES, REASONS, Feature, reason

__all__ = ["page"]

INTRODUCTION = """\
# Models under torch's features

Every named model under what torch offers to modules, with torch 2.13. A tick says that the claim below holds for a
small model of that kind, on a CPU; a number leads to the reason why it does not. The test suite checks every cell,
those without a tick as well, and compares this page with the table that it goes by
(`python -m tests.flowkit.models.torch_features.page` prints it).
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
