"""The demo's report: one HTML page beside its pictures."""

from html import escape
from pathlib import Path

from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.files import write_text
from flowkit_deflow.settings.schema import Run

__all__ = ["write_report"]

STYLE = """
body { font-family: system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }
img { max-width: 100%; } table { border-collapse: collapse; } td, th { padding: .3rem .8rem; text-align: left;
border-bottom: 1px solid #ccc; } pre { overflow-x: auto; font-size: .8rem; background: #f6f6f6; padding: 1rem; }
"""

GOALS = (
    ("noise standard deviation, generated / real", "overall_std_ratio", ".3f", "0.8 to 1.2"),
    ("lag-1 autocorrelation, generated - real", "lag1_difference", "+.3f", "-0.15 to 0.15"),
    ("residual KL divergence / that of the best white Gaussian", "kl_ratio", ".3f", "below 0.5"),
    ("the same, given brightness", "conditional_kl_ratio", ".3f", "none set"),
)
"""What the demo aims at: name, the comparison's key, its format, and the aim."""


def write_report(path: Path, result: Evaluation, run: Run, seconds: float) -> Path:
    """Write the page; its pictures lie beside it.

    Args:
        path: the HTML file.
        result: what was measured on the held-out photographs.
        run: the training's settings.
        seconds: how long all of it took.

    Returns:
        ``path``.
    """
    reached = result.values["comparison"]
    goals = ((name, format(float(reached[key]), digits), aim) for name, key, digits, aim in GOALS)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in goal)}</tr>" for goal in goals)
    shown = [(picture.file, picture.heading) for quantity in result.quantities if (picture := quantity.picture)]
    shown.append(("training.png", "Training"))
    pictures = "".join(f'<h2>{escape(title)}</h2><img src="{name}" alt="{escape(title)}">' for name, title in shown)
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>deflow demo</title><style>{STYLE}</style></head><body>
<h1>A degradation learned without pairs</h1>
<p>Some photographs were cut up like a chessboard. The white squares stayed clean; the black ones went through a camera
with noise that grows with brightness and is correlated between pixels, and through JPEG. From these two unpaired sets
of squares alone, DeFlow learned to degrade a clean photograph. Below, photographs that it never saw.</p>
<img src="contact_sheet.png" alt="clean, really degraded, samples and restored photographs">
<h2>Measured on the held-out photographs</h2>
<table><tr><th>figure</th><th>reached</th><th>aim</th></tr>{rows}</table>
<p>{run.training.steps} steps of {run.training.batch} crops of {run.data.crop} x {run.data.crop} pixels;
{seconds / 60:.1f} minutes in all. The model is in <code>run/model</code>.</p>
{pictures}
<h2>All figures</h2><pre>{escape(format_table(result))}</pre>
</body></html>
"""
    write_text(path, page)
    return path
