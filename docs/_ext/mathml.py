"""Formulas as MathML, by the converter that docutils brings along."""

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils import math
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

__all__ = ["setup"]

logger = logging.getLogger(__name__)

# Names that the converter lacks, in words that it has.
ALIASES = {r"\dots": r"\ldots", r"\lvert": r"|", r"\rvert": r"|"}

# One-letter arguments without braces, which the converter takes together: \tfrac12 would be twelve over what follows.
BARE = (
    (re.compile(r"\\([td]?frac)\s*([0-9A-Za-z])\s*([0-9A-Za-z])"), r"\\\1{\2}{\3}"),
    (re.compile(r"\\([td]?frac)\s*([0-9A-Za-z])\s*\{"), r"\\\1{\2}{"),
)

# What the converter leaves to be desired: space around bars, which are no operators here; none between a function's
# name and what it is applied to without a bracket; the index of a letter with an accent below the letter; and aligned
# equations are set small, like those in a line of text.
_ONE, _ACCENT = r"<m[in]>[^<]*</m[in]>", r'<mo stretchy="false">[^<]</mo>'
_ACCENTED = r'<msub><mover accent="true">\1\3</mover>\2</msub>'
TOUCHES = (
    (re.compile(r"<mo( [^>]*)?>\|</mo>"), r'<mo\1 lspace="0" rspace="0">|</mo>'),
    (re.compile(r"<mo>&ApplyFunction;</mo>(?!\s*(<mrow>\s*)?<mo[^>]*>[(\[])"), r'\g<0><mspace width="0.17em"/>'),
    (re.compile(rf"<munderover>\s*({_ONE})\s*({_ONE})\s*({_ACCENT})\s*</munderover>"), _ACCENTED),
    (re.compile(r'<mtable class="ams-align">'), r'<mtable class="ams-align" displaystyle="true">'),
)


def to_mathml(node: nodes.math | nodes.math_block) -> str:
    """The formula's MathML; a formula that cannot be converted is a warning, and stands as it was written."""
    text = node.astext()
    for name, known in ALIASES.items():
        text = text.replace(name, known)
    for pattern, braced in BARE:
        text = pattern.sub(braced, text)
    block = isinstance(node, nodes.math_block)
    if block and (r"\\" in text or "&" in text) and r"\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    try:
        formula = latex2mathml.tex2mathml(text, as_block=block)
    except math.MathError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{escape(node.astext())}</code>"
    for pattern, replacement in TOUCHES:
        formula = pattern.sub(replacement, formula)
    return formula


def visit_inline(visitor: Any, node: nodes.math) -> None:
    """A formula in a line of text."""
    visitor.body.append(f'<span class="math notranslate">{to_mathml(node)}</span>')
    raise nodes.SkipNode


def visit_block(visitor: Any, node: nodes.math_block) -> None:
    """A formula on lines of its own."""
    visitor.body.append(f'<div class="math notranslate">{to_mathml(node)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
