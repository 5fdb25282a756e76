"""What is done wrong with flows, one by one: each mistake gets one sentence that says what to do."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.distributions.transforms import ExpTransform

import flowkit
from flowkit import (
    MADE,
    MLP,
    ActNorm,
    Affine,
    Chain,
    ClassConditional,
    ContextMap,
    Coupling,
    Elementwise,
    Exp,
    Factorised,
    FixedAffine,
    Flow,
    Gaussian,
    Injector,
    Inverse,
    Linear,
    LogitPreprocessing,
    LULinear,
    MaskedAutoregressive,
    MaskedCoupling,
    Mixture,
    MultiScale,
    Permutation,
    RationalQuadraticSpline,
    Reversal,
    Reversible,
    Squeeze,
    StandardNormal,
    TorchDistribution,
    Uniform,
    fit,
    initialize,
    use_activations,
)
from flowkit.bijectors import BatchNorm, Moebius, Positive
from flowkit.interop.torch_distributions import FlowDistribution
from flowkit.losses import conditional_flow_matching
from flowkit.models import flow_matching
from flowkit.surjections import AbsoluteValue, StochasticFlow


class Joined(nn.Module):
    """A network of data and context together, every output of every input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.cat([x, context], -1))


class Mistake(NamedTuple):
    """A call that is wrong, and a part of the sentence that it gets."""

    call: Callable[[], Any]
    error: type[Exception]
    message: str


def conditional() -> Flow:
    return flowkit.nsf(2, layers=1, hidden=(4,), context_features=3)


def plain() -> Flow:
    return flowkit.maf(2, layers=1, hidden=(4,))


def classes() -> Flow:
    return Flow(Reversal(2), ClassConditional([StandardNormal(), StandardNormal()]), (2,))


def image() -> Flow:
    return flowkit.glow((1, 4, 4), levels=1, steps=1, hidden=4)


ROWS, CONTEXT = torch.zeros(5, 2), torch.zeros(5, 3)

MISTAKES: dict[str, Mistake] = {
    # --- making a flow
    "a list as bijector": Mistake(
        lambda: Flow([Reversal(2)], StandardNormal()),  # type: ignore[arg-type]
        TypeError,
        r"Flow takes a bijector, got a list: join several by Chain\(\[",
    ),
    "a Transform as bijector": Mistake(
        lambda: Flow(Affine(), StandardNormal()),  # type: ignore[arg-type]
        TypeError,
        r"got the elementwise transform Affine: make a bijector of it by Elementwise\(Affine",
    ),
    "a transform of torch's as bijector": Mistake(
        lambda: Flow(ExpTransform(), StandardNormal()),  # type: ignore[arg-type]
        TypeError,
        "got torch's ExpTransform: take it by .*FromTorchTransform",
    ),
    "the class of a bijector": Mistake(
        lambda: Flow(Reversal, StandardNormal()),  # type: ignore[arg-type]
        TypeError,
        "got the class Reversal: make one",
    ),
    "a network as bijector": Mistake(
        lambda: Flow(nn.Linear(2, 2), StandardNormal()),  # type: ignore[arg-type]
        TypeError,
        "got the module Linear: derive it from Bijector",
    ),
    "a torch distribution as base": Mistake(
        lambda: Flow(Reversal(2), Normal(0.0, 1.0)),  # type: ignore[arg-type]
        TypeError,
        r"got torch's Normal: wrap it, TorchDistribution\(Normal, \.\.\.\)",
    ),
    "the class of a base": Mistake(
        lambda: Flow(Reversal(2), StandardNormal),  # type: ignore[arg-type]
        TypeError,
        "got the class StandardNormal: make one",
    ),
    "no base": Mistake(
        lambda: Flow(Reversal(2), None),  # type: ignore[arg-type]
        TypeError,
        "Flow takes a base distribution, got NoneType: take one of",
    ),
    "base and bijector exchanged": Mistake(
        lambda: Flow(StandardNormal(), Reversal(2)),  # type: ignore[arg-type]
        TypeError,
        "Flow takes the bijector first",
    ),
    "bijectors one by one": Mistake(
        lambda: Chain(Reversal(2), Reversal(2)),  # type: ignore[arg-type]
        TypeError,
        r"Chain: bijectors is a Reversal; it must be a list or tuple, such as \[first, second\]",
    ),
    "parts for vectors and for images": Mistake(
        lambda: Chain([LULinear(4), Squeeze()]),
        ValueError,
        "in a Chain, LULinear gives events of 1 dimensions and Squeeze after it takes 3: make both for the same data",
    ),
    "a surjection onto positive numbers before a base on all": Mistake(
        lambda: StochasticFlow([AbsoluteValue(2)], StandardNormal(), (2,)),
        ValueError,
        r"AbsoluteValue gives values in \(0, inf\) and StandardNormal has others as well",
    ),
    "a surjection onto positive numbers before a bijector of all": Mistake(
        lambda: StochasticFlow([AbsoluteValue(2), LULinear(2)], StandardNormal(), (2,)),
        ValueError,
        r"AbsoluteValue gives values in \(0, inf\) and LULinear after it takes others as well",
    ),
    "a base on the real line after a bijector onto an interval": Mistake(
        lambda: Flow(Elementwise(flowkit.transforms.Sigmoid()), StandardNormal(), (2,)),
        ValueError,
        r"Elementwise gives values in \(0, 1\) and StandardNormal has others as well, whose share",
    ),
    "a base on the real line after a bijector of a sphere": Mistake(
        lambda: Flow(Moebius(3), StandardNormal(), (3,)),
        ValueError,
        "Moebius gives vectors of length 1 and StandardNormal has others as well",
    ),
    "an array to flow matching": Mistake(
        lambda: conditional_flow_matching(flow_matching(2, steps=2), ROWS.numpy()),
        TypeError,
        "the data is a ndarray: convert it by torch.as_tensor",
    ),
    "other numbers of data and contexts to flow matching": Mistake(
        lambda: conditional_flow_matching(flow_matching(2, steps=2, context_features=1), ROWS, torch.zeros(2, 1)),
        ValueError,
        r"data of batch shape \(\d,\) and a context of batch shape \(2,\) do not fit",
    ),
    "data off the support to flow matching": Mistake(
        lambda: conditional_flow_matching(flow_matching(2, steps=2, support=Positive()), -ROWS.exp()),
        ValueError,
        "Positive takes values in the open interval",
    ),
    "a bijector to flow matching": Mistake(
        lambda: conditional_flow_matching(flow_matching(2, steps=2).bijector, ROWS),  # type: ignore[arg-type]
        TypeError,
        "takes a flow and data, got a NeuralODE for the flow",
    ),
    "a transport by its name": Mistake(
        lambda: conditional_flow_matching(flow_matching(2, steps=2), ROWS, transport="ot"),  # type: ignore[arg-type]
        TypeError,
        r"transport is 'ot'; it is ExactTransport\(\), SinkhornTransport\(\) or None",
    ),
    "levels as integers": Mistake(
        lambda: flowkit.UniformDequantization(256, 1)(torch.arange(4)),
        TypeError,
        "takes floating-point values in .*, got a torch.int64 tensor: of levels 0 to 255, give x / 255",
    ),
    "a flow as the bijector of a dequantisation": Mistake(
        lambda: flowkit.VariationalDequantization(flowkit.nsf(2)),  # type: ignore[arg-type]
        TypeError,
        "VariationalDequantization takes a bijector, got",
    ),
    "a surjection onto positive numbers before a base that has some others": Mistake(
        lambda: StochasticFlow([AbsoluteValue(2)], Uniform(-0.1, 1.0), (2,)),
        ValueError,
        "and Uniform has others as well, whose share the density would lack: take a base on them",
    ),
    "batch norm that is run twice": Mistake(
        lambda: Chain([BatchNorm(2)], Reversible())(ROWS),
        ValueError,
        r"BatchNorm counts each batch while it is trained, .* use Stored\(\), ActNorm",
    ),
    "values that the first level does not take": Mistake(
        lambda: MultiScale([LogitPreprocessing()], [])(255 * torch.ones(1, 1, 2, 2)),
        ValueError,
        "takes values in the open interval",
    ),
    "double data for parameters in half precision": Mistake(
        lambda: plain().bfloat16().log_prob(ROWS.double()),
        TypeError,
        r"the data is torch\.float64 and the parameters of this flow are torch\.bfloat16: convert the data",
    ),
    "a single bijector in Chain": Mistake(
        lambda: Chain(Reversal(2)),  # type: ignore[arg-type]
        TypeError,
        "bijectors is a Reversal; it must be a list",
    ),
    "an empty Chain": Mistake(lambda: Chain([]), ValueError, "a Chain needs at least one bijector"),
    "a Transform in a Chain": Mistake(
        lambda: Chain([Reversal(2), Exp()]),  # type: ignore[list-item]
        TypeError,
        r"a Chain takes a bijector, got the elementwise transform Exp: .* Elementwise\(Exp",
    ),
    "a flow in a Chain": Mistake(
        lambda: Chain([plain()]),  # type: ignore[list-item]
        TypeError,
        "a Chain takes a bijector, got the module Flow",
    ),
    "a list in a Chain": Mistake(
        lambda: Chain([[Reversal(2)]]),  # type: ignore[list-item]
        TypeError,
        "a Chain takes a bijector, got a list",
    ),
    "the inverse of a Transform": Mistake(
        lambda: Inverse(Exp()),  # type: ignore[arg-type]
        TypeError,
        "Inverse takes a bijector, got the elementwise transform Exp",
    ),
    "a Transform as a level": Mistake(
        lambda: MultiScale([Affine()]),  # type: ignore[list-item]
        TypeError,
        "MultiScale takes a bijector, got the elementwise transform Affine",
    ),
    "a bijector as Coupling's transform": Mistake(
        lambda: Coupling(2, nn.Linear(1, 2), Reversal(2), event_dims=1),  # type: ignore[arg-type]
        TypeError,
        "Coupling takes an elementwise transform, got the bijector Reversal",
    ),
    "the class of a transform": Mistake(
        lambda: Coupling(2, nn.Linear(1, 2), Affine, event_dims=1),  # type: ignore[arg-type]
        TypeError,
        r"got the class Affine: make one, Affine\(\)",
    ),
    "a transform of torch's as Coupling's": Mistake(
        lambda: Coupling(2, nn.Linear(1, 2), ExpTransform(), event_dims=1),  # type: ignore[arg-type]
        TypeError,
        "Coupling takes an elementwise transform, got a ExpTransform",
    ),
    "a fixed transform in a Coupling": Mistake(
        lambda: Coupling(2, nn.Linear(1, 2), Exp(), event_dims=1),
        ValueError,
        "Exp has no parameters for a conditioner to set: use Elementwise",
    ),
    "a bijector in Elementwise": Mistake(
        lambda: Elementwise(Reversal(2)),  # type: ignore[arg-type]
        TypeError,
        "Elementwise takes an elementwise transform, such as Affine",
    ),
    "a bijector in an Injector": Mistake(
        lambda: Injector(2, nn.Linear(1, 4), Reversal(2)),  # type: ignore[arg-type]
        TypeError,
        "Injector takes an elementwise transform, got the bijector Reversal",
    ),
    "a coupling of one feature": Mistake(
        lambda: Coupling(1, nn.Linear(1, 2), event_dims=1), ValueError, "a coupling needs at least 2"
    ),
    "a mask of floats": Mistake(
        lambda: Coupling(2, nn.Linear(1, 2), event_dims=1, mask=torch.tensor([1.0, 0.0])),
        ValueError,
        "a mask over 2 channels is 2 booleans, got torch.float32",
    ),
    "a mask that keeps all": Mistake(
        lambda: Coupling(2, nn.Linear(1, 2), event_dims=1, mask=[True, True]), ValueError, "keeps 2 of 2 channels"
    ),
    "a mask over positions that is not boolean": Mistake(
        lambda: MaskedCoupling(torch.tensor([1, 0]), nn.Linear(2, 4), event_dims=1),
        ValueError,
        "a mask tensor is boolean",
    ),
    "a network of too few outputs": Mistake(
        lambda: Coupling(4, nn.Linear(2, 3), event_dims=1)(torch.zeros(5, 4)),
        ValueError,
        "the conditioner gave 3 channels, 4 are needed",
    ),
    "a network of other inputs": Mistake(
        lambda: Coupling(4, MLP(3, 4), event_dims=1)(torch.zeros(5, 4)),
        ValueError,
        r"this network takes 3 features, got an input of shape \(5, 2\)",
    ),
    "channels for an encoder of others": Mistake(
        lambda: flowkit.tarflow((1, 4, 4), context_channels=1).log_prob(
            torch.zeros(5, 1, 4, 4), torch.zeros(5, 2, 4, 4)
        ),
        ValueError,
        "this network takes 4 features, got an input of shape",
    ),
    "an autoregressive network of other features": Mistake(
        lambda: MaskedAutoregressive(3, MADE(2, 2)), ValueError, "the MADE has features=2; this layer needs features=3"
    ),
    "an autoregressive network for another transform": Mistake(
        lambda: MaskedAutoregressive(2, MADE(2, 2), RationalQuadraticSpline(4)),
        ValueError,
        "the MADE has parameters_per_feature=2; this layer needs parameters_per_feature=11",
    ),
    "a context for a network of torch's": Mistake(
        lambda: Flow(Coupling(2, nn.Linear(1, 2), event_dims=1), StandardNormal()).log_prob(ROWS, CONTEXT),
        ValueError,
        "a Linear takes no context: leave the context out, or take a network that does",
    ),
    "a base for images under vectors": Mistake(
        lambda: Flow(Reversal(2), Gaussian(2)).log_prob(ROWS[0]),
        ValueError,
        r"Gaussian takes 3 event dimensions, got a tensor of shape \(2,\)",
    ),
    "a base of other channels": Mistake(
        lambda: Flow(Reversal(2), Gaussian(3, event_dims=1), (2,)).sample(5),
        ValueError,
        r"Gaussian\(3\) takes 3 channels first in 1 event dimensions, got the event shape \(2,\)",
    ),
    "a number as event shape": Mistake(
        lambda: Flow(Reversal(2), StandardNormal(), 2), TypeError, r"event_shape is 2; it is a tuple of sizes"
    ),
    "a network that is not autoregressive": Mistake(
        lambda: MaskedAutoregressive(3, MLP(3, 6)),
        ValueError,
        r"the parameters of feature 0 depend on feature 0: take MADE\(features",
    ),
    "any network that is not autoregressive": Mistake(
        lambda: MaskedAutoregressive(3, nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 6))),
        ValueError,
        "of Sequential, the parameters of feature 0 depend on",
    ),
    "an order that names a feature twice": Mistake(
        lambda: MADE(3, 2, order=(0, 0, 1)), ValueError, "it must name each of the features"
    ),
    "no permutation": Mistake(lambda: Permutation([0, 0]), ValueError, r"\[0, 0\] is no permutation"),
    "a spline of one bin": Mistake(lambda: RationalQuadraticSpline(1), ValueError, "a spline needs at least 2"),
    "a spline without a ratio": Mistake(
        lambda: RationalQuadraticSpline(max_ratio=0.5),
        ValueError,
        "max_ratio is 0.5; it must be finite and more than 1",
    ),
    "image layers on vectors": Mistake(
        lambda: Flow(ActNorm(2), StandardNormal())(ROWS),
        ValueError,
        "takes 3 event dimensions after any number of batch",
    ),
    "vector and image layers in a chain": Mistake(
        lambda: Chain([Squeeze(), Linear(4)]),
        ValueError,
        "Squeeze gives events of 3 dimensions and Linear after it takes 1: .* event_dims where they have it",
    ),
    "a base of other dimensions": Mistake(
        lambda: Flow(Squeeze(), StandardNormal()).log_prob(torch.zeros(2, 1, 4, 4)),
        ValueError,
        "set event_dims of the base",
    ),
    "a distribution of torch's in a Mixture": Mistake(
        lambda: Mixture([Normal(0.0, 1.0)]),  # type: ignore[list-item]
        TypeError,
        "Mixture takes a base distribution, got torch's Normal",
    ),
    "classes of a distribution in Factorised": Mistake(
        lambda: Factorised([StandardNormal]),  # type: ignore[list-item]
        TypeError,
        "Factorised takes a base distribution, got the class StandardNormal",
    ),
    "parameters of a distribution that is made": Mistake(
        lambda: TorchDistribution(Normal(0.0, 1.0), loc=1.0), TypeError, "a ready-made Normal takes no parameters"
    ),
    "bounds the wrong way round": Mistake(lambda: Uniform(1.0, 0.0), ValueError, "it must be greater than lower"),
    "no module as a network": Mistake(
        lambda: Coupling(2, nn.Linear, event_dims=1),  # type: ignore[arg-type]
        TypeError,
        "Coupling: conditioner is the class Linear; it must be a module",
    ),
    "an activation in place of its class": Mistake(
        lambda: MLP(2, 2, activation=nn.ReLU()),
        TypeError,
        r"activation is a ReLU: give what makes one .* torch\.nn\.ReLU",
    ),
    "a function that activates": Mistake(
        lambda: MADE(2, 2, activation=nn.functional.relu),  # type: ignore[arg-type]
        TypeError,
        "activation is the function relu: give what makes one",
    ),
    "a channel less than one": Mistake(lambda: ActNorm(-1), ValueError, "channels is -1; it must be at least 1"),
    "a distribution alone in a Mixture": Mistake(
        lambda: Mixture(StandardNormal()),  # type: ignore[arg-type]
        TypeError,
        "components is a StandardNormal; it must be a list or tuple",
    ),
    "an encoder without a bijector": Mistake(
        lambda: ContextMap([Reversal(2)], nn.Identity()),  # type: ignore[arg-type]
        TypeError,
        r"ContextMap takes a bijector, got a list: join several by Chain",
    ),
    # --- models by name
    "a context's size in another setting's place": Mistake(
        lambda: flowkit.nsf(2, 5, (64, 64), 8, 5.0, 3),  # type: ignore[arg-type]
        TypeError,
        "nsf: autoregressive is 3; it must be True or False",
    ),
    "a shape that is a number of pixels": Mistake(
        lambda: flowkit.glow(64),  # type: ignore[arg-type]
        TypeError,
        "glow: shape is 64; it must be a list or tuple of integers",
    ),
    "a spline without an end": Mistake(
        lambda: flowkit.bpf(2, bound=float("inf")),
        ValueError,
        "bound is inf; the interval needs a positive, finite one",
    ),
    "a model by its function": Mistake(
        lambda: flowkit.create_model(flowkit.nsf, features=2),  # type: ignore[arg-type]
        TypeError,
        r"create_model: name is .*; it must be a text",
    ),
    "a model that is not there": Mistake(
        lambda: flowkit.create_model("nfs", features=2), KeyError, "there is no model 'nfs'; did you mean 'nsf'"
    ),
    "a setting that is not there": Mistake(
        lambda: flowkit.create_model("nsf", feature=2), TypeError, "its settings are: features, layers"
    ),
    "a network of data and context that is not autoregressive": Mistake(
        lambda: MaskedAutoregressive(2, Joined())(ROWS, CONTEXT),
        ValueError,
        "MaskedAutoregressive needs a network that is autoregressive; of Joined, the parameters of feature 0 depend on",
    ),
    "couplings of one feature": Mistake(
        lambda: flowkit.nsf(1),
        ValueError,
        "features is 1; it must be at least 2: take a model for any number of features",
    ),
    "data off the support of a model": Mistake(
        lambda: flowkit.maf(2, support=Positive()).log_prob(-ROWS.exp()),
        ValueError,
        "Positive takes values in the open interval",
    ),
    "a width that is no list": Mistake(
        lambda: flowkit.maf(2, hidden=64),  # type: ignore[arg-type]
        TypeError,
        "hidden is 64; it must be a list or tuple of integers",
    ),
    "an image that levels do not divide": Mistake(
        lambda: flowkit.glow((1, 6, 6), levels=2), ValueError, r"multiples of 2 \*\* levels, 4"
    ),
    "data of other features to standardise": Mistake(
        lambda: flowkit.nsf(2, standardize=torch.zeros(5, 3)), ValueError, r"data of shape \(5, 3\); this model takes"
    ),
    "an array to standardise": Mistake(
        lambda: flowkit.nsf(2, standardize=np.zeros((5, 2))),  # type: ignore[arg-type]
        TypeError,
        "standardize is a ndarray; it must be a tensor, as torch.as_tensor makes one",
    ),
    "NaN to standardise": Mistake(
        lambda: flowkit.nsf(2, standardize=torch.full((5, 2), torch.nan)), ValueError, "10 of 10 values .* are NaN"
    ),
    "a scale of zero": Mistake(lambda: FixedAffine(0.0, 0.0), ValueError, "no scale 0"),
    # --- data
    "float64 data": Mistake(
        lambda: plain().log_prob(ROWS.double()), TypeError, r"convert the data by x\.to\(torch\.float32\), or the flow"
    ),
    "float32 data for a flow in float64": Mistake(
        lambda: plain().double().log_prob(ROWS), TypeError, r"convert the data by x\.to\(torch\.float64\)"
    ),
    "integer data": Mistake(
        lambda: plain().log_prob(ROWS.long()), TypeError, r"got a torch\.int64 tensor; convert it first"
    ),
    "an array as data": Mistake(
        lambda: plain().log_prob(np.zeros((5, 2))),  # type: ignore[arg-type]
        TypeError,
        r"the data is a ndarray: convert it by torch\.as_tensor\(data\)",
    ),
    "a list as data": Mistake(
        lambda: plain().log_prob([[0.0, 0.0]]),  # type: ignore[arg-type]
        TypeError,
        r"takes floating-point tensors, got a list for the data: .* take the tensor, batch\[0\]",
    ),
    "data of other features": Mistake(
        lambda: plain().log_prob(torch.zeros(5, 3)),
        ValueError,
        r"this flow takes events of 2 features, got the event shape \(3,\)",
    ),
    "a number as data": Mistake(
        lambda: plain().log_prob(torch.zeros(())), ValueError, "takes 1 event dimensions after any number of batch"
    ),
    "data out of the domain": Mistake(
        lambda: LogitPreprocessing(event_dims=1)(torch.full((2,), 3.0)), ValueError, "takes values in the open interval"
    ),
    "more angles than a circle has": Mistake(
        lambda: flowkit.ncsf(1).log_prob(ROWS), ValueError, r"takes events of 1 features, got the event shape \(2,\)"
    ),
    "a batch of a DataLoader": Mistake(
        lambda: flowkit.glow((1, 4, 4), levels=2).log_prob((torch.zeros(5, 1, 4, 4),)),  # type: ignore[arg-type]
        TypeError,
        r"got a tuple for the data: .* take the tensor, batch\[0\]",
    ),
    "sparse data": Mistake(
        lambda: plain().log_prob(ROWS.to_sparse()), TypeError, r"takes dense tensors, .*: convert it by x\.to_dense"
    ),
    "data on another device": Mistake(
        lambda: plain().log_prob(ROWS.to("meta")), ValueError, r"convert the data by x\.to\('cpu'\)"
    ),
    "float64 data for a bijector": Mistake(
        lambda: plain().bijector(ROWS.double()), TypeError, r"convert the data by x\.to\(torch\.float32\)"
    ),
    "float64 latents for a bijector": Mistake(
        lambda: plain().bijector.inverse(ROWS.double()), TypeError, r"convert the data by x\.to\(torch\.float32\)"
    ),
    # --- contexts and labels
    "no context": Mistake(lambda: conditional().log_prob(ROWS), ValueError, "takes a context of 3 features, got none"),
    "a context for a flow without": Mistake(
        lambda: plain().log_prob(ROWS, CONTEXT), ValueError, "takes a context of 0 features, got one of shape"
    ),
    "no context for an encoder": Mistake(
        lambda: ContextMap(Reversal(2), nn.Identity())(ROWS), ValueError, "this bijector is conditional: pass context="
    ),
    "a context of other features": Mistake(
        lambda: conditional().log_prob(ROWS, torch.zeros(5, 4)), ValueError, r"of 3 features, got one of shape \(5, 4\)"
    ),
    "other numbers of context rows than data rows": Mistake(
        lambda: conditional().log_prob(ROWS, torch.zeros(4, 3)),
        ValueError,
        r"data of batch shape \(5,\) and a context of batch shape \(4,\) do not fit: give as many rows",
    ),
    "other rows of context for a flow made by hand": Mistake(
        lambda: Flow(Injector(2, nn.Linear(3, 4), event_dims=1), StandardNormal()).log_prob(ROWS, torch.zeros(4, 3)),
        ValueError,
        r"5 rows of data and a context of shape \(4, 3\) do not fit",
    ),
    "other rows of context for a bijector": Mistake(
        lambda: conditional().bijector(ROWS, torch.zeros(4, 3)),
        ValueError,
        r"5 rows of data and a context of shape \(4, 3\) do not fit",
    ),
    "other rows of context for latents": Mistake(
        lambda: conditional().bijector.inverse(ROWS, torch.zeros(4, 3)),
        ValueError,
        r"5 rows of data and a context of shape \(4, 3\) do not fit",
    ),
    "an array as context": Mistake(
        lambda: conditional().log_prob(ROWS, np.zeros((5, 3))),
        TypeError,
        r"the context is a ndarray: convert it by torch\.as_tensor\(context\)",
    ),
    "a float64 context": Mistake(
        lambda: conditional().log_prob(ROWS, CONTEXT.double()),
        TypeError,
        r"convert the context by context\.to\(torch\.float32\)",
    ),
    "an integer context": Mistake(
        lambda: conditional().log_prob(ROWS, CONTEXT.long()), TypeError, r"the context is torch\.int64"
    ),
    "a context of no dimensions": Mistake(
        lambda: conditional().log_prob(ROWS, torch.tensor(0.0)), ValueError, "context_dims is 1: the context of each"
    ),
    "another context once bound": Mistake(
        lambda: conditional().bijector.bind(CONTEXT)(ROWS, CONTEXT), ValueError, "has its context already"
    ),
    "a label that would be ignored": Mistake(
        lambda: plain().log_prob(ROWS, label=torch.zeros(5)), ValueError, "StandardNormal takes no label, got a tensor"
    ),
    "samples of a label that would be ignored": Mistake(
        lambda: plain().sample(5, label=1), ValueError, "StandardNormal takes no label, got 1"
    ),
    "no label": Mistake(lambda: classes().log_prob(ROWS), ValueError, r"has 2 classes: pass label="),
    "a label of floats": Mistake(
        lambda: classes().log_prob(ROWS, label=torch.zeros(5)), TypeError, r"the label is a torch\.float32 tensor"
    ),
    "a class that is not there": Mistake(
        lambda: classes().sample(2, label=2), ValueError, "there are 2 classes, 0 to 1"
    ),
    "other numbers of labels": Mistake(
        lambda: classes().log_prob(ROWS, label=torch.zeros(4, dtype=torch.long)),
        ValueError,
        r"data of batch shape \(5,\) and a label of batch shape \(4,\) do not fit",
    ),
    "a context for a flow of layers that take none": Mistake(
        lambda: Flow(Reversal(2), StandardNormal()).log_prob(ROWS, CONTEXT),
        ValueError,
        r"no layer of this flow takes a context, got a tensor of shape \(5, 3\): leave it out",
    ),
    "samples by a context for a flow of layers that take none": Mistake(
        lambda: flowkit.ncsf(1).sample(5, context=CONTEXT), ValueError, "no layer of this flow takes a context"
    ),
    "a list as context": Mistake(
        lambda: conditional().log_prob(ROWS, [[0.0] * 3] * 5),
        TypeError,
        r"the context is a list; this flow takes a tensor",
    ),
    "a context on another device": Mistake(
        lambda: conditional().log_prob(ROWS, CONTEXT.to("meta")),
        ValueError,
        r"convert the context by context\.to\('cpu'\)",
    ),
    # --- samples
    "a truth value for a number of samples": Mistake(
        lambda: plain().sample(True), TypeError, "batch is True; it is a number of samples"
    ),
    "the data for a number of samples": Mistake(
        lambda: plain().sample(ROWS),  # type: ignore[arg-type]
        TypeError,
        r"batch is a tensor of shape \(5, 2\); it is a number of samples",
    ),
    "a seed for a generator": Mistake(
        lambda: plain().sample(3, generator=0),  # type: ignore[arg-type]
        TypeError,
        r"generator is 0; of a seed, make one by torch\.Generator\(\)\.manual_seed\(seed\)",
    ),
    "a temperature that is no number": Mistake(
        lambda: plain().sample(3, temperature=None),  # type: ignore[arg-type]
        TypeError,
        "temperature is None; it is a number",
    ),
    "an infinite temperature": Mistake(
        lambda: plain().sample(3, temperature=float("inf")), ValueError, "it must be at least 0 and finite"
    ),
    "a NaN temperature": Mistake(
        lambda: plain().sample(3, temperature=float("nan")), ValueError, "it must be at least 0 and finite"
    ),
    "a batch for an event shape": Mistake(
        lambda: flowkit.ffjord(2, steps=1).sample(3, (5, 2)),
        ValueError,
        r"this flow takes events of 2 features, got the event shape \(5, 2\)",
    ),
    "the context in nflows' order": Mistake(
        lambda: conditional().sample(10, CONTEXT), ValueError, r"sample\(\(10,\), context=context\) draws 10 for each"
    ),
    "other numbers of contexts than samples": Mistake(
        lambda: conditional().sample(10, context=CONTEXT), ValueError, r"10 samples, 5 rows of context: .*\(\(10,\), "
    ),
    "no number of samples": Mistake(
        lambda: plain().sample(2.5),  # type: ignore[arg-type]
        TypeError,
        "batch is 2.5; it is a number of samples",
    ),
    "a negative number of samples": Mistake(lambda: plain().sample(-1), ValueError, "batch is -1"),
    "a negative temperature": Mistake(lambda: plain().sample(1, temperature=-1.0), ValueError, "must be at least 0"),
    "a shape of samples for contexts of unknown dimensions": Mistake(
        lambda: Flow(Injector(2, nn.Linear(3, 4), event_dims=1), StandardNormal(), (2,)).sample((4,), context=CONTEXT),
        ValueError,
        r"make it by Flow\(\.\.\., context_dims=1\)",
    ),
    "no shape to sample": Mistake(
        lambda: Flow(Reversal(2), StandardNormal()).sample(3), ValueError, "say which to sample"
    ),
    "a shape that is a number": Mistake(
        lambda: plain().sample(3, 2), ValueError, "shape is 2; expected the event shape as a tuple"
    ),
    "gradients of samples that have none": Mistake(
        lambda: Flow(Reversal(2), Mixture([StandardNormal()]), (2,)).rsample(3), NotImplementedError, "use sample"
    ),
    "a bijector as a torch distribution": Mistake(
        lambda: FlowDistribution(Reversal(2)),  # type: ignore[arg-type]
        TypeError,
        r"FlowDistribution takes a flowkit\.Flow",
    ),
    "a shape of samples of a base": Mistake(
        lambda: StandardNormal().sample((3,), (2,)),  # type: ignore[arg-type]
        TypeError,
        r"batch is \(3,\); a base distribution draws a number of samples, a Flow samples of a shape",
    ),
    "a negative number of latents": Mistake(lambda: StandardNormal().sample(-1, (2,)), ValueError, "batch is -1"),
    "latents of a number of features": Mistake(
        lambda: StandardNormal().sample(3, 2), TypeError, "shape is 2; it is the event shape, a tuple of sizes"
    ),
    "a seed for latents": Mistake(
        lambda: StandardNormal().rsample(3, (2,), generator=0),  # type: ignore[arg-type]
        TypeError,
        "generator is 0; of a seed, make one",
    ),
    "a negative temperature of latents": Mistake(
        lambda: StandardNormal().sample(3, (2,), temperature=-1.0), ValueError, "it must be at least 0"
    ),
    "an array of latents": Mistake(
        lambda: StandardNormal().log_prob(np.zeros((5, 2))),  # type: ignore[arg-type]
        TypeError,
        "the latent is a ndarray: convert it",
    ),
    # --- starting and training
    "an actnorm without a start": Mistake(
        lambda: image().log_prob(torch.zeros(2, 1, 4, 4)), RuntimeError, r"is not initialised: call flowkit\.initialize"
    ),
    "NaN to start from": Mistake(
        lambda: initialize(image(), torch.full((2, 1, 4, 4), torch.nan)), ValueError, "NaN or infinite; give it finite"
    ),
    "an empty batch to start from": Mistake(
        lambda: initialize(image(), torch.zeros(0, 1, 4, 4)), ValueError, "got an empty batch"
    ),
    "activations without a chain": Mistake(
        lambda: use_activations(Reversal(2), flowkit.Reversible()), ValueError, "contains no Chain"
    ),
    "activations by name": Mistake(
        lambda: use_activations(plain(), "reversible"),  # type: ignore[arg-type]
        TypeError,
        "activations is 'reversible'; it must be an Activations",
    ),
    "a loss of no samples": Mistake(
        lambda: flowkit.losses.reverse_kl(plain(), lambda x: x.sum(-1), 0), ValueError, "got no samples"
    ),
    "a loss of a density by a flow": Mistake(
        lambda: flowkit.losses.reverse_kl(lambda x: x.sum(-1), plain(), 5),  # type: ignore[arg-type]
        TypeError,
        "the first argument is a flow, the second a log-density",
    ),
    "a fit to NaN": Mistake(
        lambda: fit(plain(), torch.full((5, 2), torch.nan), progress=False),
        ValueError,
        "without NaN or infinite values",
    ),
    "a fit with other rows of context": Mistake(
        lambda: fit(conditional(), ROWS, torch.zeros(4, 3), progress=False),
        ValueError,
        "5 rows of data and 4 of context",
    ),
    "a fit to an array": Mistake(
        lambda: fit(plain(), np.zeros((5, 2))),  # type: ignore[arg-type]
        TypeError,
        "fit: data is a ndarray; it must be a tensor, as torch.as_tensor makes one",
    ),
    "a fit of part of an epoch": Mistake(
        lambda: fit(plain(), ROWS, epochs=0.5),  # type: ignore[arg-type]
        TypeError,
        "fit: epochs is 0.5; it must be an integer",
    ),
    "a fit of a bijector": Mistake(
        lambda: fit(Reversal(2), ROWS),  # type: ignore[arg-type]
        TypeError,
        "fit takes a flow and data, got a Reversal",
    ),
    "a fit of nothing": Mistake(
        lambda: fit(Flow(Reversal(2), StandardNormal()), ROWS), ValueError, "the flow has no parameters to train"
    ),
    "a fit with NaN for a context": Mistake(
        lambda: fit(conditional(), ROWS, torch.full((5, 3), torch.nan)),
        ValueError,
        "5 rows of data and 5 of context; there must be as many, without NaN",
    ),
    # --- storing
    "weights for a model": Mistake(
        lambda: flowkit.save_model(plain().state_dict(), "unused"),  # type: ignore[arg-type]
        TypeError,
        "save_model takes a model and a folder, got a OrderedDict for the model",
    ),
    "a model without weights": Mistake(
        lambda: flowkit.save_model(plain().to("meta"), "unused"), ValueError, "is on the meta device"
    ),
    "a density of each element": Mistake(
        lambda: flowkit.losses.reverse_kl(plain(), lambda x: -x.square(), 3), ValueError, "sum over the event"
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_sentence_that_says_what_to_do(name: str) -> None:
    mistake = MISTAKES[name]
    with pytest.raises(mistake.error, match=mistake.message) as caught:
        mistake.call()
    # A sentence, not a page.
    assert len(str(caught.value)) < 400


def test_a_network_with_a_context_of_its_own_is_not_looked_at() -> None:
    class Given(nn.Module):
        def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
            return context.repeat(1, 2)

    MaskedAutoregressive(2, Given())


def test_any_order_of_the_features_is_autoregressive() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.weight.tril(-1)).repeat_interleave(2, -1)

    MaskedAutoregressive(3, Backwards())
