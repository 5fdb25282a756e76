"""Networks that set the parameters of layers: plain modules, to be replaced at will."""

from flowkit.nn.conditioner import apply_conditioner, prepare_conditioner
from flowkit.nn.conv import ConvConditioner, ZeroConv2d

__all__ = ["ConvConditioner", "ZeroConv2d", "apply_conditioner", "prepare_conditioner"]
