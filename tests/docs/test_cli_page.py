"""The command's page, held against the command."""

import re

from cli_help import PAGE, commands, help_text, with_help

TEXT = PAGE.read_text(encoding="utf-8")


def test_it_shows_the_help_as_it_is() -> None:
    assert with_help(TEXT) == TEXT, "the help has changed: run python docs/_ext/cli_help.py"


def test_it_shows_every_command() -> None:
    assert len(commands()) > 5
    shown = re.findall(r"^Usage: deflow ([a-z-]+(?: [a-z-]+)?)", TEXT, re.MULTILINE)
    assert shown == commands()
    assert re.findall(r"^## deflow ([\w -]+)$", TEXT, re.MULTILINE) == commands()


def test_a_stale_help_is_replaced() -> None:
    stale = TEXT.replace("Folder of clean images.", "Folder of dirty images.")
    assert stale != TEXT
    assert with_help(stale) == TEXT
    assert "Folder of clean images." in help_text("train")
