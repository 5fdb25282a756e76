"""Where LPIPS's weights are published, in two parts: the network by torchvision, the linear layers by LPIPS."""

from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles

__all__ = ["ALEX", "VGG", "LpipsFiles", "PublishedFile", "download"]


@dataclass(frozen=True)
class PublishedFile:
    """A file that can be downloaded.

    Attributes:
        name: its name.
        url: where it is.
        sha256: how its hash begins; ``None`` if that is not published.
    """

    name: str
    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class LpipsFiles:
    """The files of one network's LPIPS.

    Attributes:
        whole: name of the file that holds both parts.
        network: the part that torchvision publishes.
        linear: the part that LPIPS publishes.
    """

    whole: str
    network: PublishedFile
    linear: PublishedFile


_TORCHVISION = "https://download.pytorch.org/models"
_LPIPS = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1"

ALEX = LpipsFiles(
    "lpips_alex.safetensors",
    PublishedFile("alexnet-owt-7be5be79.pth", f"{_TORCHVISION}/alexnet-owt-7be5be79.pth", "7be5be79"),
    PublishedFile("alex.pth", f"{_LPIPS}/alex.pth"),
)
VGG = LpipsFiles(
    "lpips_vgg16.safetensors",
    PublishedFile("vgg16-397923af.pth", f"{_TORCHVISION}/vgg16-397923af.pth", "397923af"),
    PublishedFile("vgg.pth", f"{_LPIPS}/vgg.pth"),
)


def download(source: LpipsFiles, files: MetricFiles) -> None:
    """Download both parts to the folder of published files, unless they or the whole are there.

    Raises:
        UserError: one cannot be downloaded, or is not what it should be.
    """
    if (files.folder / source.whole).is_file():
        return
    for part in (source.network, source.linear):
        path = files.folder / part.name
        if not path.is_file():
            _fetch(part, path)


def _fetch(part: PublishedFile, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # It writes under another name and renames.
        torch.hub.download_url_to_file(part.url, str(path), part.sha256, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"{part.url}: cannot be downloaded to {path} ({error}); check the connection, or get the file elsewhere"
        ) from None
