"""An HTML page of sections, beside its pictures."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from flowkit_deflow.files import write_text

__all__ = ["Section", "folded", "paragraph", "picture", "preformatted", "table", "write_page"]

STYLE = """
body { font-family: system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }
img { max-width: 100%; } table { border-collapse: collapse; } td, th { padding: .3rem .8rem; text-align: left;
vertical-align: top; border-bottom: 1px solid #ccc; } pre { overflow-x: auto; font-size: .8rem; background: #f6f6f6;
padding: 1rem; }
"""


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        title: its heading.
        body: HTML.
    """

    title: str
    body: str


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def preformatted(text: str) -> str:
    """Text whose columns are aligned by spaces."""
    return f"<pre>{escape(text)}</pre>"


def folded(summary: str, body: str) -> str:
    """HTML that is shown when its summary is clicked on."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def picture(path: Path, alt: str, page: Path) -> str:
    """A picture file beside the page, or in a folder below it."""
    return f'<img src="{escape(path.relative_to(page.parent).as_posix())}" alt="{escape(alt)}">'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain text.

    Examples:
        >>> table(["a", "b"], [["1", "<2"]])
        '<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>&lt;2</td></tr></table>'
    """
    lines = [_cells("th", header), *(_cells("td", row) for row in rows)]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def write_page(path: Path, title: str, introduction: str, sections: Iterable[Section]) -> Path:
    """Write the page.

    Args:
        path: the HTML file.
        title: of the page.
        introduction: HTML.
        sections: what follows, in this order.

    Returns:
        ``path``.

    Raises:
        UserError: it cannot be written.
    """
    body = "\n".join(f"<h2>{escape(section.title)}</h2>\n{section.body}" for section in sections)
    write_text(
        path,
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{introduction}
{body}
</body></html>
""",
    )
    return path
