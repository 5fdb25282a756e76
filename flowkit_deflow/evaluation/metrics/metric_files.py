"""Where the published weights and models of metrics are read from: they are no part of this package."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from flowkit_deflow.errors import UserError

__all__ = ["VARIABLE", "MetricFiles", "MissingFileError"]

VARIABLE = "DEFLOW_METRICS"


class MissingFileError(UserError):
    """A metric's published file is not on this machine; the message says which, and where it is looked for."""


@dataclass(frozen=True)
class MetricFiles:
    """A folder of published weights and models.

    Attributes:
        folder: the folder.

    Examples:
        >>> MetricFiles(Path("no/such")).path("niqe/modelparameters.mat", "NIQE")
        Traceback (most recent call last):
        ...
        flowkit_deflow.evaluation.metrics.metric_files.MissingFileError: NIQE needs the published file ...
    """

    folder: Path

    @classmethod
    def usual(cls) -> Self:
        """The folder that the environment's ``DEFLOW_METRICS`` names; torch hub's cache if it names none."""
        named = os.environ.get(VARIABLE)
        return cls(Path(named)) if named else cls.torch_hub()

    @classmethod
    def torch_hub(cls) -> Self:
        """The folder in which torch hub keeps torchvision's weights."""
        return cls(Path(torch.hub.get_dir()) / "checkpoints")

    def path(self, name: str, metric: str, otherwise: str = "") -> Path:
        """A file of the folder.

        Args:
            name: its path in the folder.
            metric: what needs it, for the message.
            otherwise: what else can be done where it is missing, as the end of that sentence.

        Raises:
            MissingFileError: it is not there.
        """
        path = self.folder / name
        if not path.is_file():
            raise MissingFileError(
                f"{metric} needs the published file {name!r}, which is not in {self.folder}; get it, and name the "
                f"folder that holds it in the environment's {VARIABLE} (deflow metrics: or with --metric-files)"
                f"{otherwise}"
            )
        return path
