"""Degraders that are networks made by settings, stored with them."""

from pathlib import Path
from typing import Any, ClassVar, Self

from torch import nn

from flowkit_deflow.model_folder import read_model_folder, write_model_folder
from flowkit_deflow.settings.text import from_dict, to_dict

__all__ = ["ConfiguredDegrader"]


class ConfiguredDegrader(nn.Module):
    """What such degraders have in common: a model folder of their settings and weights.

    Args:
        config: the settings, of the class ``settings``.

    Attributes:
        kind: the name under which the registry knows it.
        settings: the class of its settings.
    """

    kind: ClassVar[str]
    settings: ClassVar[type[Any]]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder: ``config.json`` and ``model.safetensors``."""
        write_model_folder(folder, self.kind, to_dict(self.config), self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        model = cls(from_dict(cls.settings, stored.settings, stored.config))
        stored.load_into(model)
        return model.eval()
