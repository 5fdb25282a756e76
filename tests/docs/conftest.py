import sys
from pathlib import Path

# What the documentation is built with, beside its pages.
sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
