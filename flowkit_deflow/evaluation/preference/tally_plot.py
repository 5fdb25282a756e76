"""A study's outcome as bars, as papers show it."""

from matplotlib.figure import Figure

from flowkit_deflow.evaluation.preference.tally import Tally, Verdict, Votes

__all__ = ["draw_tally"]

# A green and a red that differ in darkness, too.
FIRST, SECOND = "#2e8b57", "#c0504d"
NOT_DECIDED = 0.35  # opacity of a bar whose interval holds one half
HEIGHT, ABOVE = 0.32, 1.1  # inches for a bar, and for what stands around them


def draw_tally(tally: Tally) -> Figure:
    """A bar for all choices and one for each participant: green for the first method, red for the second.

    Bars are pale where Wilson's 95 % interval, the black line, holds one half.

    Args:
        tally: the outcome.
    """
    participants = {f"participant {number}": votes for number, votes in tally.by_participant.items()}
    rows: dict[str, Votes] = {"all": tally.total, **participants}
    figure = Figure(figsize=(7, ABOVE + HEIGHT * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, votes in enumerate(rows.values()):
        opacity = NOT_DECIDED if votes.verdict is Verdict.UNDECIDED else 1.0
        axes.barh(place, 100 * votes.share, color=FIRST, alpha=opacity)
        axes.barh(place, 100 * (1 - votes.share), left=100 * votes.share, color=SECOND, alpha=opacity)
        low, high = votes.interval
        axes.plot([100 * low, 100 * high], [place, place], color="black", linewidth=1.2, marker="|")
    axes.axvline(50, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    first, second = tally.methods
    axes.set_xlabel(f"% of {tally.total.all} choices for {first} (green), else {second} (red); 95 % interval")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
