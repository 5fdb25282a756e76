"""Networks that set the parameters of layers: plain modules, to be replaced at will."""

from flowkit.constants import WithConstants, place_constants_after_loading
from flowkit.nn.angle_mlp import AngleMLP
from flowkit.nn.attention import KeyValueCache, SelfAttention
from flowkit.nn.block_autoregressive import BlockAutoregressive
from flowkit.nn.causal_transformer import CausalTransformer
from flowkit.nn.class_embedding import ClassEmbedding
from flowkit.nn.context_conv import ContextConv2d
from flowkit.nn.context_linear import ContextLinear
from flowkit.nn.context_parameters import ContextParameters
from flowkit.nn.conv2d import Conv2d
from flowkit.nn.conv_conditioner import ConvConditioner
from flowkit.nn.guided import Guided
from flowkit.nn.lipschitz import LipschitzLinear, LipschitzMLP
from flowkit.nn.lipschitz_conv import LipschitzConv2d, LipschitzConvNet
from flowkit.nn.lipswish import LipSwish
from flowkit.nn.made import MADE
from flowkit.nn.masked_linear import MaskedLinear
from flowkit.nn.masked_mlp import MaskedMLP, adjacency_in_passes
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.mlp import MLP
from flowkit.nn.optional_class_embedding import OptionalClassEmbedding
from flowkit.nn.residual_mlp import ResidualMLP
from flowkit.nn.time_mlp import TimeMLP
from flowkit.nn.transformer_block import TransformerBlock
from flowkit.nn.vision_transformer import VisionTransformer
from flowkit.nn.zero_conv import ZeroConv2d

__all__ = [
    "MADE",
    "MLP",
    "AngleMLP",
    "BlockAutoregressive",
    "CausalTransformer",
    "ClassEmbedding",
    "ContextConv2d",
    "ContextLinear",
    "ContextParameters",
    "Conv2d",
    "ConvConditioner",
    "Guided",
    "KeyValueCache",
    "LipSwish",
    "LipschitzConv2d",
    "LipschitzConvNet",
    "LipschitzLinear",
    "LipschitzMLP",
    "MaskedLinear",
    "MaskedMLP",
    "MixedResolution",
    "OptionalClassEmbedding",
    "ResidualMLP",
    "SelfAttention",
    "TimeMLP",
    "TransformerBlock",
    "VisionTransformer",
    "WithConstants",
    "ZeroConv2d",
    "adjacency_in_passes",
    "place_constants_after_loading",
]
