"""LPIPS, the distance of deep features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.feature_networks import FeatureNetwork, alexnet, vgg16
from flowkit_deflow.evaluation.metrics.feature_weights import load_convolutions
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.published_files import ALEX, VGG, LpipsFiles
from flowkit_deflow.state_files import read_state

__all__ = ["Lpips"]

DOWNLOAD = ", or have deflow metrics IMAGES --download get its parts"
SMALLEST_NORM = 1e-10
# The published program's own rounding of ImageNet's colours, of images in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    r"""LPIPS: a weighted distance of the features of two images, 0 for equal ones.

    .. math:: \sum_l \operatorname{mean}_p \sum_c w_{lc}
        \left(\frac{a_{lcp}}{\|a_{lp}\|} - \frac{b_{lcp}}{\|b_{lp}\|}\right)^2

    over the taps l of a network, its channels c and places p.

    Args:
        network: gives the features.
        weights: w, one number for each channel of each tap.

    References:
        R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang, "The Unreasonable Effectiveness of Deep Features as a
        Perceptual Metric", CVPR 2018, eq. 1; weights of version 0.1.

    Examples:
        >>> lpips = Lpips(alexnet(), [torch.ones(channels) for channels in (64, 192, 384, 256, 256)])
        >>> images = torch.rand(2, 3, 64, 64)
        >>> lpips(images, images).tolist()
        [0.0, 0.0]
    """

    def __init__(self, network: FeatureNetwork, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.network = network
        network.mean.copy_((torch.tensor(SHIFT).view(3, 1, 1) + 1) / 2)
        network.std.copy_(torch.tensor(SCALE).view(3, 1, 1) / 2)
        for number, weight in enumerate(weights):
            self.register_buffer(f"weight{number}", weight.float().view(-1, 1, 1), persistent=False)
        self.eval()

    @classmethod
    def alex(cls, files: MetricFiles) -> Self:
        """With AlexNet, from ``lpips_alex.safetensors``, or from torchvision's and LPIPS's own files.

        Raises:
            UserError: a file is missing or damaged.
        """
        return cls._read(files, alexnet(), ALEX)

    @classmethod
    def vgg(cls, files: MetricFiles) -> Self:
        """With VGG16, from ``lpips_vgg16.safetensors``, or from torchvision's and LPIPS's own files.

        Raises:
            UserError: a file is missing or damaged.
        """
        return cls._read(files, vgg16(), VGG)

    @classmethod
    def _read(cls, files: MetricFiles, network: FeatureNetwork, source: LpipsFiles) -> Self:
        path = linear_path = files.folder / source.whole
        if (files.folder / source.network.name).is_file() and not path.is_file():
            path, linear_path = (files.path(part.name, "LPIPS", DOWNLOAD) for part in (source.network, source.linear))
        state = read_state(files.path(path.name, "LPIPS", DOWNLOAD))
        load_convolutions(network, state, str(path))
        linear = state if linear_path == path else read_state(linear_path)
        return cls(network, [_linear(linear, number, linear_path) for number in range(len(network.taps))])

    def forward(self, images: Tensor, references: Tensor) -> Tensor:
        """The distances.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            references: of the same shape.

        Returns:
            ``B`` numbers; gradients flow to the images.
        """
        distance = images.new_zeros(len(images))
        for number, pair in enumerate(zip(self.network(images), self.network(references), strict=True)):
            a, b = (F.normalize(features, dim=1, eps=SMALLEST_NORM) for features in pair)
            weighted = ((a - b).square() * self.get_buffer(f"weight{number}")).sum(1)
            distance = distance + weighted.mean((1, 2))
        return distance


def _linear(state: Mapping[str, Tensor], number: int, path: Path) -> Tensor:
    """The weights of one tap, one number for each channel, under either naming."""
    for key in (f"linear{number}.weight", f"lin{number}.model.1.weight"):
        if key in state:
            return state[key].flatten()
    raise UserError(f"{path}: key 'linear{number}.weight' is missing; get the file again")
