"""Networks that set the parameters of layers: plain modules, to be replaced at will."""

from flowkit.nn.context_parameters import ContextParameters
from flowkit.nn.conv import ConvConditioner, ZeroConv2d
from flowkit.nn.dense_convs import dense_convolutions
from flowkit.nn.kernel import ConvKernel
from flowkit.nn.lipschitz import LipschitzLinear, LipschitzMLP
from flowkit.nn.lipswish import LipSwish
from flowkit.nn.made import MADE
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.mlp import MLP
from flowkit.nn.packable_conv import PackableConv2d, PackedConvs
from flowkit.nn.residual_mlp import ResidualMLP
from flowkit.nn.tiled_features import TiledFeatures, tile_features
from flowkit.nn.time_mlp import TimeMLP
from flowkit.ops.nearest_conv import nearest_conv2d

__all__ = [
    "MADE",
    "MLP",
    "ContextParameters",
    "ConvConditioner",
    "ConvKernel",
    "LipSwish",
    "LipschitzLinear",
    "LipschitzMLP",
    "MixedResolution",
    "PackableConv2d",
    "PackedConvs",
    "ResidualMLP",
    "TiledFeatures",
    "TimeMLP",
    "ZeroConv2d",
    "dense_convolutions",
    "nearest_conv2d",
    "tile_features",
]
