"""A study's outcome as a table in the terminal."""

from collections.abc import Iterator

from flowkit_deflow.evaluation.preference.tally import Tally, Verdict, Votes

__all__ = ["tally_lines"]

HEAD = ("", "preferred", "95 % interval", "choices")


def tally_lines(tally: Tally) -> Iterator[tuple[str, Verdict | None]]:
    """The lines of the table, each with the verdict by which it is coloured; ``None`` for those without one.

    Args:
        tally: the outcome.
    """
    groups: list[dict[str, Votes]] = [
        {"all": tally.total},
        {f"participant {number}": votes for number, votes in tally.by_participant.items()},
        dict(tally.by_image),
    ]
    width = max(len(name) for group in groups for name in group)
    first, second = tally.methods
    yield f"{first} against {second}: how often {first} was preferred", None
    yield _line(width, *HEAD), None
    for group in groups:
        for name, votes in group.items():
            low, high = (f"{100 * end:.1f}" for end in votes.interval)
            yield _line(width, name, f"{100 * votes.share:.1f} %", f"{low} to {high}", str(votes.all)), votes.verdict
    yield f"The left was chosen in {100 * tally.on_the_left.share:.1f} % of all choices.", None


def _line(width: int, name: str, share: str, interval: str, count: str) -> str:
    return f"{name.ljust(width)}  {share.rjust(9)}  {interval.rjust(14)}  {count.rjust(7)}"
