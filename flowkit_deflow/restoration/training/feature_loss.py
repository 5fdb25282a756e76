"""The difference of two images' features."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.evaluation.metrics.feature_networks import FeatureNetwork, vgg16, vgg19
from flowkit_deflow.evaluation.metrics.feature_weights import load_convolutions
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.settings.restoration import RestorerLosses
from flowkit_deflow.state_files import read_state

__all__ = ["FeatureLoss", "feature_loss"]

VGG19_FILE = "vgg19-dcbb9e9d.pth"
VGG16_FILE = "lpips_vgg16.safetensors"
# The layer of conv5_3, the last convolution of VGG16.
VGG16_LAST = 28


class FeatureLoss(nn.Module):
    r"""The mean absolute difference of features, :math:`\operatorname{mean} w |\phi(a) - \phi(b)|`.

    All taps of the network count alike.

    Args:
        network: gives the features :math:`\phi`.

    References:
        J. Johnson, A. Alahi, L. Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV
        2016; X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV workshops 2018,
        sec. 3.3, for features before the activation.

    Examples:
        >>> import torch
        >>> image = torch.rand(1, 3, 32, 32)
        >>> FeatureLoss(vgg16((2,)))(image, image).item()
        0.0
    """

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, references: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss; gradients flow to ``images``.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            references: of the same shape.
            weights: ``B x 1 x H x W``, how much each place counts, averaged over a feature's cell; ``None``: 1.
        """
        differences = [
            _mean(a, b, weights) for a, b in zip(self.network(images), self.network(references), strict=True)
        ]
        return sum(differences, images.new_zeros(())) / len(differences)


def _mean(a: Tensor, b: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return F.l1_loss(a, b)
    height, width = a.shape[-2:]
    return (F.adaptive_avg_pool2d(weights, (height, width)) * (a - b).abs()).mean()


def feature_loss(settings: RestorerLosses) -> FeatureLoss:
    """The loss that the settings ask for.

    Raises:
        UserError: its weights are not there, or are damaged.
    """
    if settings.feature_network == "vgg19":
        network, name = vgg19(), VGG19_FILE
    else:
        network, name = vgg16((VGG16_LAST,)), VGG16_FILE
    if settings.feature_weights is None:
        path = _published(name, f"the loss of {settings.feature_network}'s features")
    else:
        path = Path(settings.feature_weights)
    load_convolutions(network, read_state(path), str(path))
    return FeatureLoss(network)


def _published(name: str, purpose: str) -> Path:
    """A file among those of the metrics, or where torchvision keeps its own."""
    files, torchvisions = MetricFiles.usual(), MetricFiles.torch_hub()
    if not (files.folder / name).is_file() and (torchvisions.folder / name).is_file():
        files = torchvisions
    return files.path(name, purpose, ", or set losses.feature_weights to the file")
