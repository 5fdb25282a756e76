"""What a command tells of files that it did not use."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from flowkit_deflow.images.image_listing import NOT_READ, survey, unread

__all__ = ["LEFT_OUT", "other_files", "report_problems"]

# Exit status of a command that did its work, but not on all that it was given.
LEFT_OUT = 3


def other_files(*folders: Path | str | None) -> Counter[str]:
    """How many files of some folders are no images that are read, by their suffix in lower case.

    Args:
        folders: folders that images were taken from, or single images; one that is named twice is counted once.
    """
    places = dict.fromkeys(Path(folder).resolve() for folder in folders if folder is not None)
    return sum((survey(place).others for place in places), Counter())


def report_problems(problems: Sequence[str], others: Counter[str] | None = None) -> None:
    """List images that were left out, on standard error, and end the command with status 3 if there are any.

    Files that are no images are counted on standard output, and change nothing.

    Args:
        problems: a message for each image that could not be used.
        others: how many other files were found, by their suffix in lower case.

    Raises:
        Exit: images were left out.
    """
    problems = list(dict.fromkeys(problems))
    others = others or Counter()
    kinds = unread(others)
    for suffix, count in sorted(others.items()):
        if suffix not in kinds:
            typer.echo(f"Passed over, no {'images' if count > 1 else 'image'}: {count} {suffix or 'without a suffix'}")
    left_out = len(problems) + sum(kinds.values())
    if left_out:
        sys.stderr.write(f"{left_out} {'images were' if left_out > 1 else 'image was'} left out:\n")
        for suffix, count in kinds.items():
            sys.stderr.write(f"  {count} {suffix}: {NOT_READ[suffix]}\n")
        for problem in problems:
            sys.stderr.write(f"  {problem}\n")
        raise typer.Exit(LEFT_OUT)
