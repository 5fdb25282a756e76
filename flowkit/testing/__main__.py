"""``python -m flowkit.testing``: check a bijector from the command line."""

import argparse
import importlib
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from flowkit.bijector import Shape
from flowkit.plugin import plugins
from flowkit.testing.case import Case
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.check import Checkable, as_case, example_of, run_checks
from flowkit.testing.properties import PROPERTIES
from flowkit.testing.property import Property
from flowkit.testing.report import Report
from flowkit.testing.subject import Subject

__all__ = ["main"]

DESCRIPTION = """\
Check a bijector for every property of the contract, and print the worst figure seen of each.

TARGET is package.module:name, where name is a Bijector class that takes no arguments, a
function that makes one, an instance, a flowkit.testing.Case or Entry, or a dict of those.
Without it, the catalogue of flowkit's own bijectors and those of the installed plugins are
checked, in a line each.
"""
EXAMPLES = """\
examples:
  python -m flowkit.testing my_package.layers:MyLayer --event 4
  python -m flowkit.testing my_package.layers:ImageLayer --event 3,8,8 --context 5,8,8
  python -m flowkit.testing flowkit.testing.catalogue.image:ENTRIES --seeds 1
  python -m flowkit.testing --list
"""
# The figures that fit on a line, with the titles of their columns.
COLUMNS = {"round_trip_of_data": "round trip", "log_det_of_jacobian": "log-det", "autocast_log_det": "log-det, bf16"}


class _UsageError(Exception):
    """The command line asks for something impossible; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command line's arguments; ``None`` for the program's own.

    Returns:
        The exit status: 0 if every property holds, 1 if one does not.

    Raises:
        SystemExit: with status 2 and a line on standard error, if the arguments are wrong; with 0 after ``--help``.

    Examples:
        >>> main(["flowkit:Squeeze", "--event", "1,4,6", "--only", "shapes,log_dets_cancel"])
        flowkit:Squeeze: 2 properties hold
        property         worst    tolerance  verdict
        shapes                               passed
        log_dets_cancel  0.0e+00  1e-08      passed
        0
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(_described()))
        return 0
    # The tensors are tiny: handing them to several threads costs many times what it saves.
    torch.set_num_threads(1)
    seeds = range(given.seeds)
    try:
        properties = _selected(given.only)
        found = _everything() if given.target is None else _resolve(given.target)
        if isinstance(found, Mapping):
            cases = {str(name): _checkable(name, value, given.event, given.context) for name, value in found.items()}
        else:
            _checkable(given.target, found, given.event, given.context)
    except _UsageError as error:
        parser.exit(2, f"flowkit.testing: {error}\n")
    if isinstance(found, Mapping):
        return _run_all(cases, given.event, given.context, seeds, properties)
    report = run_checks(found, given.event, given.context, seeds=seeds, properties=properties, name=given.target)
    print(report)
    return 1 if report.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m flowkit.testing",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET", help="what to check, as package.module:name")
    parser.add_argument("--event", type=_shape, metavar="N,N,...", help="event shape of the data, e.g. 3,8,8")
    parser.add_argument(
        "--context", type=_shape, metavar="N,N,...", help="event shape of the context; none if left out"
    )
    parser.add_argument("--seeds", type=_positive, default=2, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--only", metavar="ID,ID,...", help="properties to check (default: all)")
    parser.add_argument("--list", action="store_true", help="say what the properties are, and stop")
    return parser


def _shape(text: str) -> Shape:
    sizes = text.split(",")
    if not all(size.strip().isdecimal() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape: give positive sizes with commas between, e.g. 3,8,8")
    return tuple(int(size) for size in sizes)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seeds: give 1 or more")
    return int(text)


def _selected(ids: str | None) -> tuple[Property[Subject], ...]:
    if ids is None:
        return PROPERTIES
    wanted = ids.split(",")
    known = [prop.id for prop in PROPERTIES]
    if unknown := [name for name in wanted if name not in known]:
        raise _UsageError(f"--only names no property: {', '.join(unknown)}; see --list")
    return tuple(prop for prop in PROPERTIES if prop.id in wanted)


def _resolve(target: str) -> Any:
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise _UsageError(f"{target!r} is not of the form package.module:name")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # One that the module itself misses is its own error, which a traceback explains best.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise _UsageError(
            f"there is no module {error.name!r} (is its folder the present one, or installed?)"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise _UsageError(f"{module_name!r} has no {name!r}")
        found = getattr(found, part)
    return found


def _checkable(name: str, found: Any, event: Shape | None, context: Shape | None) -> Checkable:
    try:
        example_of(as_case(found, event, context))
    except (TypeError, ValueError) as error:
        hint = " (on the command line: --event 3,8,8)" if "event is missing" in str(error) else ""
        raise _UsageError(f"{name}: {' '.join(str(error).split())}{hint}") from error
    checkable: Checkable = found
    return checkable


def _everything() -> dict[str, Checkable]:
    plugin_cases: dict[str, Case] = {
        f"{plugin_name}: {name}": case
        for plugin_name, plugin in plugins().items()
        for name, case in plugin.bijectors.items()
    }
    return {**CATALOGUE, **plugin_cases}


def _run_all(
    cases: Mapping[str, Checkable],
    event: Shape | None,
    context: Shape | None,
    seeds: Sequence[int],
    properties: Sequence[Property[Subject]],
) -> int:
    width = max([len("bijector"), *map(len, cases)])
    columns = {key: title for key, title in COLUMNS.items() if key in {prop.id for prop in properties}}
    print("  ".join(["bijector".ljust(width), *columns.values(), "seconds", "verdict"]))
    failed: list[Report] = []
    for name, case in cases.items():
        start = time.perf_counter()
        report = run_checks(case, event, context, seeds=seeds, properties=properties, name=name)
        cells = {row.property: row.cells()[1] for row in report.rows}
        figures = [cells[key].rjust(len(title)) for key, title in columns.items()]
        seconds = f"{time.perf_counter() - start:.1f}".rjust(len("seconds"))
        print("  ".join([name.ljust(width), *figures, seconds, report.summary]), flush=True)
        failed += [report] if report.failures else []
    for report in failed:
        print("\n".join(["", f"{report.name}:", *(f"  FAILED {reason}" for reason in report.reasons)]))
    print(f"\n{len(cases)} bijectors checked: " + (f"{len(failed)} break the contract" if failed else "all keep it"))
    return 1 if failed else 0


def _described() -> list[str]:
    lines = []
    for prop in PROPERTIES:
        lines.append(f"{prop.id}  (tolerance {prop.tolerance:g})" if prop.tolerance else prop.id)
        text = f"{prop.statement} Tolerance: {prop.justification}." if prop.tolerance else prop.statement
        lines += textwrap.wrap(text, 110, initial_indent="    ", subsequent_indent="    ")
    return lines


if __name__ == "__main__":
    sys.exit(main())
