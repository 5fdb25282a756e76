"""Bijectors: one family to a file."""

from flowkit.bijector import REAL_LINE, Bijector, BoundBijector, Interval, Shape, Wrapper, sum_event
from flowkit.bijectors.activations.activations import Activations
from flowkit.bijectors.activations.checkpointed import Checkpointed
from flowkit.bijectors.activations.reversible import Reversible
from flowkit.bijectors.activations.stored import Stored
from flowkit.bijectors.actnorm import ActNorm, initialize
from flowkit.bijectors.autoregressive import InverseAutoregressive, MaskedAutoregressive
from flowkit.bijectors.batch_norm import BatchNorm
from flowkit.bijectors.block_autoregressive import BlockNeuralAutoregressive
from flowkit.bijectors.chain import Chain, use_activations
from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.concatenate import Concatenate
from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.decoding import Decoding, JacobiDecoding, SequentialDecoding, use_decoding
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.emerging_conv import AutoregressiveConv2d, EmergingConv2d
from flowkit.bijectors.factor_out import FactorOut
from flowkit.bijectors.fixed_affine import FixedAffine
from flowkit.bijectors.haar import HaarWavelet
from flowkit.bijectors.householder import Householder
from flowkit.bijectors.identity import Identity
from flowkit.bijectors.injector import Injector
from flowkit.bijectors.inverse import Inverse
from flowkit.bijectors.invertible_conv import Conv1x1, HouseholderConv1x1, LUConv1x1
from flowkit.bijectors.jacobian import value_and_pullback
from flowkit.bijectors.linear import Linear
from flowkit.bijectors.logit_preprocessing import LogitPreprocessing
from flowkit.bijectors.lu import LULinear
from flowkit.bijectors.masked_coupling import MaskedCoupling
from flowkit.bijectors.masks import Checkerboard, alternating_mask
from flowkit.bijectors.multiscale import MultiScale
from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.bijectors.ode_solvers import AdjointDormandPrince, DormandPrince, ODESolver, RungeKutta4
from flowkit.bijectors.orthogonal import Orthogonal
from flowkit.bijectors.periodic_conv import PeriodicConv2d
from flowkit.bijectors.permutation import Permutation, Reversal
from flowkit.bijectors.planar import Planar
from flowkit.bijectors.qr import QRLinear
from flowkit.bijectors.radial import Radial
from flowkit.bijectors.reshape import Reshape
from flowkit.bijectors.residual import Residual
from flowkit.bijectors.residual_log_det import (
    ExactLogDet,
    LogDetEstimate,
    PowerSeriesLogDet,
    ResidualLogDet,
    RussianRouletteLogDet,
)
from flowkit.bijectors.rotation import Rotation
from flowkit.bijectors.split import Split
from flowkit.bijectors.squeeze import Squeeze
from flowkit.bijectors.supports.box import Box
from flowkit.bijectors.supports.correlation_cholesky import CorrelationCholesky
from flowkit.bijectors.supports.exponential_map import ExponentialMap
from flowkit.bijectors.supports.moebius import Moebius
from flowkit.bijectors.supports.ordered import Ordered
from flowkit.bijectors.supports.positive import Positive
from flowkit.bijectors.supports.simplex import SimplexBijector
from flowkit.bijectors.supports.softmax_centred import SoftmaxCentred
from flowkit.bijectors.supports.sphere_to_cylinder import SphereToCylinder
from flowkit.bijectors.supports.stereographic import Stereographic
from flowkit.bijectors.supports.stick_breaking import StickBreaking
from flowkit.bijectors.sylvester import Sylvester
from flowkit.bijectors.traces import ExactTrace, HutchinsonTrace, Trace
from flowkit.bijectors.transformer_autoregressive import TransformerAutoregressive
from flowkit.bijectors.transpose import Transpose
from flowkit.bijectors.volume_preserving import VolumePreservingCoupling
from flowkit.bijectors.woodbury import Woodbury

__all__ = [
    "REAL_LINE",
    "ActNorm",
    "Activations",
    "AdjointDormandPrince",
    "AutoregressiveConv2d",
    "BatchNorm",
    "Bijector",
    "BlockNeuralAutoregressive",
    "BoundBijector",
    "Box",
    "Chain",
    "ChannelBijector",
    "ChannelMixing",
    "Checkerboard",
    "Checkpointed",
    "Concatenate",
    "ContextMap",
    "Conv1x1",
    "CorrelationCholesky",
    "Coupling",
    "Decoding",
    "DormandPrince",
    "Elementwise",
    "EmergingConv2d",
    "ExactLogDet",
    "ExactTrace",
    "ExponentialMap",
    "FactorOut",
    "FixedAffine",
    "HaarWavelet",
    "Householder",
    "HouseholderConv1x1",
    "HutchinsonTrace",
    "Identity",
    "Injector",
    "Interval",
    "Inverse",
    "InverseAutoregressive",
    "JacobiDecoding",
    "LUConv1x1",
    "LULinear",
    "Linear",
    "LogDetEstimate",
    "LogitPreprocessing",
    "MaskedAutoregressive",
    "MaskedCoupling",
    "Moebius",
    "MultiScale",
    "NeuralODE",
    "ODESolver",
    "Ordered",
    "Orthogonal",
    "PeriodicConv2d",
    "Permutation",
    "Planar",
    "Positive",
    "PowerSeriesLogDet",
    "QRLinear",
    "Radial",
    "Reshape",
    "Residual",
    "ResidualLogDet",
    "Reversal",
    "Reversible",
    "Rotation",
    "RungeKutta4",
    "RussianRouletteLogDet",
    "SequentialDecoding",
    "Shape",
    "SimplexBijector",
    "SoftmaxCentred",
    "SphereToCylinder",
    "Split",
    "Squeeze",
    "Stereographic",
    "StickBreaking",
    "Stored",
    "Sylvester",
    "Trace",
    "TransformerAutoregressive",
    "Transpose",
    "VolumePreservingCoupling",
    "Woodbury",
    "Wrapper",
    "alternating_mask",
    "initialize",
    "sum_event",
    "use_activations",
    "use_decoding",
    "value_and_pullback",
]
