"""Networks that set the parameters of layers: plain modules, to be replaced at will."""

from flowkit.constants import WithConstants, place_constants_after_loading
from flowkit.nn.block_autoregressive import BlockAutoregressive
from flowkit.nn.class_embedding import ClassEmbedding
from flowkit.nn.context_conv import ContextConv2d
from flowkit.nn.context_linear import ContextLinear
from flowkit.nn.context_parameters import ContextParameters
from flowkit.nn.conv2d import Conv2d
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.lipschitz import LipschitzLinear, LipschitzMLP
from flowkit.nn.lipschitz_conv import LipschitzConv2d, LipschitzConvNet
from flowkit.nn.lipswish import LipSwish
from flowkit.nn.made import MADE
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.mlp import MLP
from flowkit.nn.residual_mlp import ResidualMLP
from flowkit.nn.time_mlp import TimeMLP
from flowkit.nn.zero_conv import ZeroConv2d

__all__ = [
    "MADE",
    "MLP",
    "BlockAutoregressive",
    "ClassEmbedding",
    "ContextConv2d",
    "ContextLinear",
    "ContextParameters",
    "Conv2d",
    "ConvConditioner",
    "LipSwish",
    "LipschitzConv2d",
    "LipschitzConvNet",
    "LipschitzLinear",
    "LipschitzMLP",
    "MixedResolution",
    "ResidualMLP",
    "TimeMLP",
    "WithConstants",
    "ZeroConv2d",
    "place_constants_after_loading",
]
