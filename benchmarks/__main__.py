"""``python -m benchmarks COMMAND``.

A command is a module with ``add(commands)``, which adds a parser to argparse's sub-commands and sets its default
``run`` to a function from the parsed arguments to an exit status. A new one is named in ``COMMANDS``.
"""

import argparse
import sys
from importlib import import_module

NAMES = (
    "density",
    "inference",
    "peers",
    "deflow",
    "growth",
    "gpu",
    "conditioning",
    "restoration",
    "patches",
    "soak",
    "memory",
)
COMMANDS = tuple(f"benchmarks.{name}.command" for name in NAMES)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measurements of flowkit beside its peers."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(name).add(commands)
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


if __name__ == "__main__":
    sys.exit(main())
