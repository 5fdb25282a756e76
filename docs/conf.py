"""How Sphinx builds the documentation: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

# Read when the packages are imported, here and in the examples: pictures go to files.
os.environ.setdefault("MPLBACKEND", "agg")

# Deprecations inside Lightning are no part of an example's output.
warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")

import flowkit  # noqa: E402

project = "flowkit"
author = "The flowkit founders"
copyright = "The flowkit founders"
version = release = flowkit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "names",
    "complete",
    "catalogue_table",
    "contract_table",
    "precision_table",
]
exclude_patterns = [
    "_build",
    "_ext",
    "examples",
    "plugin_example",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
root_doc = "index"
language = "en"

# A link that leads nowhere is an error, except into libraries whose documentation is not at hand here.
nitpicky = True
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(torch|nn|np|numpy|collections|typing|pathlib|nflows|pyro|pl|hypothesis|st|pytest|pydantic)\..*",
    ),
    ("py:class", r"contextlib\..*"),
    ("py:class", r"(Tensor|Path|Any|Callable|Iterable|Iterator|Mapping|Sequence|Self|Module|Generator)"),
    ("py:exc", r"(TypeError|ValueError|RuntimeError|KeyError|ImportError|OSError|FileNotFoundError)"),
    ("py:(class|obj)", r"flowkit.*\.(_\w+|[A-Z])"),
    # What a shift is measured and blended by is no part of the reference.
    ("py:(class|func)", r"flowkit_deflow\.method\.shifts\..*"),
    # Nor is what flows remember their arguments by, what makes images part by part, and what settings are marked with.
    ("py:class", r"flowkit\.recorded\..*|flowkit\.models\.(recipe\.Model|architecture\.classes\.Class)|P"),
    # Nor what a layer hands from one of its methods to the next.
    ("py:class", r"flowkit\.bijectors\.supports\.radial_potential\.RadialPotential"),
    ("py:class", r"flowkit_deflow\.(images\.tiling\.Piece|method\.latent_edits\.LatentEdit)"),
    ("py:class", r"(flowkit_deflow\.degraders\.handwritten\.operation\.)?Operation"),
    ("py:class", r"flowkit_deflow\.degraders\.adversarial\.configured\.ConfiguredDegrader"),
    ("py:class", r"(types\.|typing\.)?Annotated.*|(flowkit_deflow\.settings\.sorts\.)?Sort\.\w+|tuple\[int"),
    ("py:class", r"(bool|int|float|str|bytes|tuple|list|dict|set|object|type|None|abc\.ABC|enum\.IntEnum)"),
]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autosummary_generate = False
python_maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# Formulas become MathML, which browsers draw themselves: the pages need no script from elsewhere.
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"flowkit {release}"
html_static_path = ["_static"]
html_css_files = ["flowkit.css"]
html_show_sphinx = False


sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "gallery.ByPlace",
    "min_reported_time": 0,
    "write_computation_times": True,
    "show_signature": False,
    "download_all_examples": False,
    "plot_gallery": "True",
    "capture_repr": (),
    "doc_module": ("flowkit", "flowkit_deflow"),
    "reference_url": {"flowkit": None, "flowkit_deflow": None},
    "reset_modules": ("matplotlib", "gallery.before_and_after"),
    "reset_modules_order": "both",
    "thumbnail_size": (480, 300),
    "show_memory": False,
    "remove_config_comments": True,
}
suppress_warnings = ["config.cache"]
