"""The help texts on the command's page, written from the command itself: ``python docs/_ext/cli_help.py``."""

import re
from functools import cache
from pathlib import Path

from typer.testing import CliRunner

from flowkit_deflow.app.cli import app

__all__ = ["PAGE", "commands", "help_text", "with_help"]

PAGE = Path(__file__).parents[1] / "reference" / "cli.md"
WIDTH = 88
# Arguments and options follow the command's own words, and a group's words are two.
_BLOCK = re.compile(r"```text\nUsage: deflow(?: (?P<command>[a-z-]+(?: [a-z-]+)?))?.*?```", re.DOTALL)


@cache
def help_text(command: str | None) -> str:
    """What ``deflow COMMAND --help`` prints, or ``deflow --help``."""
    arguments = [*([] if command is None else command.split()), "--help"]
    result = CliRunner().invoke(app, arguments, terminal_width=WIDTH, color=False, prog_name="deflow")
    if result.exit_code:
        raise ValueError(f"deflow has no command {command!r}")
    return result.output.strip()


def commands(group: str | None = None) -> list[str]:
    """Names of the commands, in the order of the help; after a group's name, those in it."""
    _, _, listed = help_text(group).partition("Commands:\n")
    found = []
    for name in re.findall(r"^ {2}([\w-]+)", listed, re.MULTILINE):
        full = name if group is None else f"{group} {name}"
        found += [full, *commands(full)]
    return found


def with_help(page: str) -> str:
    """The page with each help text, as it is now, in its block."""
    return _BLOCK.sub(lambda found: f"```text\n{help_text(found['command'])}\n```", page)


if __name__ == "__main__":
    PAGE.write_text(with_help(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
