"""A public name that is not fully documented, or on no page of the reference, fails the build."""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from docstrings import problems, public_names

__all__ = ["setup"]

logger = logging.getLogger(__name__)


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    for problem in problems(public_names()):
        logger.warning("%s", problem)
    documented = env.get_domain("py").data["objects"]
    for name, _ in public_names():
        if name not in documented:
            logger.warning("%s: is on no page of the reference", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Check once all pages are read."""
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
