"""A sound bijector, and what becomes of it by the mistakes that people make: each with the property meant for it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit import Bijector
from flowkit.bijectors import Interval, Shape
from flowkit.testing import Case

FEATURES = 5
CONTEXT = 2
KEPT = 2


class Sound(Bijector[Tensor, Tensor]):
    """A conditional affine coupling of vectors, then a scale of each feature's own: what the others are made from."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(KEPT + CONTEXT, 8), nn.Tanh(), nn.Linear(8, 2 * (FEATURES - KEPT)))
        self.log_scale = nn.Parameter(torch.zeros(FEATURES))

    def output_shape(self, shape: Shape) -> Shape:
        if shape != (FEATURES,):
            raise ValueError(f"takes {FEATURES} features, got the event shape {shape}")
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        return self.output_shape(shape)

    def parameters_of(self, kept: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        context = context.expand(*kept.shape[:-1], CONTEXT)
        shift, raw = self.net(torch.cat([kept, context], -1)).to(kept.dtype).chunk(2, -1)
        return shift, raw.tanh()

    def scale(self, x: Tensor) -> Tensor:
        return x * self.log_scale.exp()

    def unscale(self, z: Tensor) -> Tensor:
        return z * (-self.log_scale).exp()

    def log_det(self, log_scale: Tensor) -> Tensor:
        # Out of half precision: a log-determinant adds up what each element rounds.
        dtype = torch.promote_types(log_scale.dtype, torch.float32)
        return log_scale.to(dtype).sum(-1) + self.log_scale.to(dtype).sum()

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = x[..., :KEPT], x[..., KEPT:]
        shift, log_scale = self.parameters_of(kept, prepared)
        return self.scale(torch.cat([kept, (changed + shift) * log_scale.exp()], -1)), self.log_det(log_scale)

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z = self.unscale(z)
        kept, changed = z[..., :KEPT], z[..., KEPT:]
        shift, log_scale = self.parameters_of(kept, prepared)
        return torch.cat([kept, changed * (-log_scale).exp() - shift], -1), -self.log_det(log_scale)


# --- round trips ----------------------------------------------------------------------------------------------------


class EpsilonInOneDirection(Sound):
    def scale(self, x: Tensor) -> Tensor:
        return x * (self.log_scale.exp() + 1e-6)


class NotOntoTheRealLine(Sound):
    """Squashes, without saying so; what it was fed returns, other latents do not."""

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        y = x.tanh()
        z, log_det = super()._forward(y, prepared)
        return z, log_det + (1 - y.square()).log().sum(-1)

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        y, log_det = super()._inverse(z, prepared)
        y = y.clamp(-1 + 1e-9, 1 - 1e-9)
        return y.atanh(), log_det - (1 - y.square()).log().sum(-1)


class TooFewSteps(Sound):
    """A numerical inverse that stops early."""

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x + 0.5 * x.sin(), prepared)
        return z, log_det + (1 + 0.5 * x.cos()).log().sum(-1)

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        y, log_det = super()._inverse(z, prepared)
        x = y
        for _ in range(8):
            x = y - 0.5 * x.sin()
        return x, log_det - (1 + 0.5 * x.cos()).log().sum(-1)


# --- log-determinants -----------------------------------------------------------------------------------------------


class SignOfTheLogDet(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        return -super().log_det(log_scale)


class MissingTerm(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        return log_scale.sum(-1)


class MeanInsteadOfSum(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        return log_scale.mean(-1) + self.log_scale.mean()


class InverseReportsForward(Sound):
    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        x, log_det = super()._inverse(z, prepared)
        return x, -log_det


class Projection(Sound):
    """Loses a feature: nothing to be inverted."""

    def output_shape(self, shape: Shape) -> Shape:
        return (FEATURES - 1,)

    def input_shape(self, shape: Shape) -> Shape:
        return (FEATURES,)

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        return z[..., 1:], log_det

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        return super()._inverse(F.pad(z, (1, 0)), prepared)


# --- shapes, types, devices -----------------------------------------------------------------------------------------


class ScalarLogDet(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        return super().log_det(log_scale).sum()


class LogDetOfEachElement(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        dtype = torch.promote_types(log_scale.dtype, torch.float32)
        return F.pad(log_scale, (KEPT, 0)).to(dtype) + self.log_scale


class NoLogDet(Sound):
    def log_det(self, log_scale: Tensor) -> Any:
        return None

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Any]:
        return super()._forward(z, prepared)


class Float32Result(Sound):
    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x).float()


class Float32LogDet(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        return super().log_det(log_scale).float()


class LeftBehind(Sound):
    """A tensor that is no buffer does not move with the module."""

    def __init__(self) -> None:
        super().__init__()
        self.sign = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) * self.sign

    def unscale(self, z: Tensor) -> Tensor:
        return super().unscale(z) * self.sign


class MaskIsLost(Sound):
    """A buffer that is not saved, and that nothing makes again after ``to_empty``."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sign", torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]), persistent=False)

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) * self.sign

    def unscale(self, z: Tensor) -> Tensor:
        return super().unscale(z) * self.sign


class ReadsItsParameters(Sound):
    """Branches on the values of a parameter, of which there are none on the meta device."""

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) if bool(self.log_scale.any()) else x


class WrongOutputShape(Sound):
    """Says that it appends a feature."""

    def output_shape(self, shape: Shape) -> Shape:
        return (shape[0] + 1,)

    def input_shape(self, shape: Shape) -> Shape:
        return (shape[0] - 1,)

    def forward(self, x: Tensor, context: Any = None) -> tuple[Tensor, Tensor]:
        return self._forward(x, context)

    def inverse(self, z: Tensor, context: Any = None) -> tuple[Tensor, Tensor]:
        return self._inverse(z[..., :FEATURES], context)


class SilentlyDropsFeatures(Sound):
    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        return super()._forward(x[..., :FEATURES], prepared)


# --- samples --------------------------------------------------------------------------------------------------------


class MeanOfTheBatch(Sound):
    def parameters_of(self, kept: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = super().parameters_of(kept, context)
        return shift + kept.mean(), log_scale


class MeanContext(Sound):
    """Conditions every sample on the batch's mean context."""

    def prepare(self, context: Tensor) -> Tensor:
        return context.mean(0, keepdim=True) if context.ndim > 1 else context


class OneBatchDimension(Sound):
    """Takes the second dimension for the features', and claims any number of batch dimensions."""

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x).roll(1, min(1, x.ndim - 1))

    def unscale(self, z: Tensor) -> Tensor:
        return super().unscale(z.roll(-1, min(1, z.ndim - 1)))


# --- purity ---------------------------------------------------------------------------------------------------------


class HiddenRandomness(Sound):
    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) + 1e-12 * torch.randn_like(x)


class DropoutInEvalMode(Sound):
    def parameters_of(self, kept: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = super().parameters_of(kept, context)
        return F.dropout(shift, 0.5, training=True), log_scale


class DrawsAndDiscards(Sound):
    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) + 0 * torch.rand(())


class DrawsFromNumpy(Sound):
    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) + 0 * np.random.rand()  # noqa: NPY002


class ChangesItsInput(Sound):
    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        if not torch.is_grad_enabled():
            x.copy_(z)
        return z, log_det


class ChangesItsContext(Sound):
    def prepare(self, context: Tensor) -> Tensor:
        return context.clamp_(min=-1.0) if not context.requires_grad else context.clamp(min=-1.0)


class CountsCalls(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))

    def scale(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().scale(x)


class RemembersItsInput(Sound):
    last: Tensor | None = None

    def scale(self, x: Tensor) -> Tensor:
        self.last = x
        return super().scale(x)


class RemembersInABox(Sound):
    """In an object of its own, which no list of attributes shows."""

    def __init__(self) -> None:
        super().__init__()
        self.box = SimpleNamespace(last=None)

    def scale(self, x: Tensor) -> Tensor:
        self.box.last = x
        return super().scale(x)


class RemembersWithoutGradients(Sound):
    last: Tensor | None = None

    def scale(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            self.last = x
        return super().scale(x)


# --- gradients ------------------------------------------------------------------------------------------------------


class DetachedLogDet(Sound):
    def log_det(self, log_scale: Tensor) -> Tensor:
        return super().log_det(log_scale).detach()


class InverseWithoutGradient(Sound):
    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            return super()._inverse(z, prepared)


class StraightThrough(Sound):
    """Its backward pass is that of another function."""

    def scale(self, x: Tensor) -> Tensor:
        scaled = super().scale(x)
        return x + (scaled - x).detach()


class DeadParameter(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(FEATURES))

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) + 0 * self.bias


class NanGradient(Sound):
    """The slope of a root at zero, times zero."""

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) + (self.log_scale * 0).abs().sqrt()


# --- large values ---------------------------------------------------------------------------------------------------


class Overflows(Sound):
    """A logarithmic squash, whose inverse overflows long before 1e4."""

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x.sign() * x.abs().log1p(), prepared)
        return z, log_det - x.abs().log1p().sum(-1)

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        y, log_det = super()._inverse(z, prepared)
        return y.sign() * y.abs().expm1(), log_det + y.abs().sum(-1)


class UnstatedInterval(Sound):
    """Takes positive numbers alone and does not say so: the logarithm of others is not a number."""

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x.log(), prepared)
        return z, log_det - x.log().sum(-1)

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        x, log_det = super()._inverse(z, prepared)
        return x.exp(), log_det + x.sum(-1)


class UncheckedInterval(UnstatedInterval):
    """States the interval, and lets values outside it through."""

    def domain(self, dtype: torch.dtype) -> Interval:
        return (0.0, float("inf"))

    def codomain(self, dtype: torch.dtype) -> Interval:
        return (-50.0, 50.0)

    def forward(self, x: Tensor, context: Any = None) -> tuple[Tensor, Tensor]:
        return self._forward(x, self.prepare(context))


# --- copies ---------------------------------------------------------------------------------------------------------


class StaleInverse(Sound):
    """Inverts its scale once."""

    inverted: Tensor | None = None

    def unscale(self, z: Tensor) -> Tensor:
        if self.inverted is None:
            self.inverted = (-self.log_scale).exp().detach()
        return z * self.inverted.to(z)


class GivesItsInputBack(Sound):
    """Knows the latents that it made, and inverts them by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.box = SimpleNamespace(x=None, z=None)

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        self.box.x, self.box.z = x, z
        return z, log_det

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        x, log_det = super()._inverse(z, prepared)
        return (self.box.x if z is self.box.z else x), log_det


class CacheSurvivesLoading(StaleInverse):
    pass


class UnsavedState(Sound):
    """A random permutation that no state dict has."""

    def __init__(self) -> None:
        super().__init__()
        self.permutation = torch.randperm(FEATURES)

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x)[..., self.permutation]

    def unscale(self, z: Tensor) -> Tensor:
        return super().unscale(z[..., self.permutation.argsort()])


class CopiesShare(Sound):
    def __deepcopy__(self, memo: dict[int, Any]) -> "CopiesShare":
        other = CopiesShare()
        for name, parameter in self.named_parameters(recurse=False):
            setattr(other, name, parameter)
        other.net = self.net
        return other.eval()


class CannotBePickled(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda x: x


class ForgottenByPickle(Sound):
    factor = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.factor = 2.0

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "factor"}  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict[int, Any]) -> "ForgottenByPickle":
        other = ForgottenByPickle().to(self.log_scale)
        other.load_state_dict(self.state_dict())
        return other.eval()

    def scale(self, x: Tensor) -> Tensor:
        return self.factor * super().scale(x)

    def unscale(self, z: Tensor) -> Tensor:
        return super().unscale(z) / self.factor

    def log_det(self, log_scale: Tensor) -> Tensor:
        return super().log_det(log_scale) + FEATURES * float(np.log(self.factor))


class FarFromTheOrigin(Sound):
    """Its latents are some thousand times as large as what tells them apart, which float32 cannot hold."""

    offset = 3000.0

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) + self.offset

    def unscale(self, z: Tensor) -> Tensor:
        return super().unscale(z - self.offset)


# --- context --------------------------------------------------------------------------------------------------------


class IgnoresItsContext(Sound):
    def prepare(self, context: Tensor) -> Tensor:
        return 0 * context


class InverseIgnoresItsContext(Sound):
    """Both directions ignore it for the one feature that they change by it; the other way round it is used."""

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        return super()._inverse(z, 0 * prepared)


class BindsSomethingElse(Sound):
    def prepare(self, context: Tensor) -> Tensor:
        return context.tanh()

    def forward(self, x: Tensor, context: Any = None) -> tuple[Tensor, Tensor]:
        return self._forward(x, context)


class ContextOfFullBatch(Sound):
    def parameters_of(self, kept: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        each = context.expand(*kept.shape[:-2], *context.shape[-2:])
        return super().parameters_of(kept, each.reshape(*kept.shape[:-1], CONTEXT))


class FirstContextForAll(Sound):
    """Takes contexts of fewer batch dimensions than the data for a single one."""

    def parameters_of(self, kept: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        if context.ndim < kept.ndim:
            context = context.flatten(0, -2)[0]
        return super().parameters_of(kept, context)


# --- torch's functions ----------------------------------------------------------------------------------------------


class BranchOnData(Sound):
    """The same on both branches, but which is taken depends on numbers."""

    def scale(self, x: Tensor) -> Tensor:
        return super().scale(x) if x.sum() > 0 else self.log_scale.exp() * x


class WritesInPlace(Sound):
    """Fills a tensor of its own, which vmap does not know to be batched."""

    def scale(self, x: Tensor) -> Tensor:
        z = torch.zeros(x.shape, dtype=x.dtype, device=x.device)
        z.copy_(super().scale(x))
        return z


class KeepsItsParameters(Sound):
    """Reaches a parameter by a list of its own, which functional_call does not swap."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = [self.log_scale]

    def scale(self, x: Tensor) -> Tensor:
        return x * self.kept[0].exp()

    def unscale(self, z: Tensor) -> Tensor:
        return z * (-self.kept[0]).exp()

    def log_det(self, log_scale: Tensor) -> Tensor:
        return log_scale.sum(-1) + self.kept[0].sum()


# --- precision ------------------------------------------------------------------------------------------------------


class MatrixInHalfPrecision(Sound):
    """A matrix product of the data, which autocast rounds."""

    def scale(self, x: Tensor) -> Tensor:
        return (x @ torch.diag(self.log_scale.exp())).to(x.dtype)


class LogDetInHalfPrecision(Sound):
    """Large log-scales that cancel, summed by a matrix product, which autocast rounds."""

    def log_det(self, log_scale: Tensor) -> Tensor:
        large = F.pad(log_scale + 999.7, (KEPT, 0))
        summed = large @ torch.ones(FEATURES, dtype=log_scale.dtype, device=log_scale.device)
        return summed.to(log_scale.dtype) - 999.7 * (FEATURES - KEPT) + self.log_scale.sum()


class HalfPrecisionResult(Sound):
    def scale(self, x: Tensor) -> Tensor:
        return x @ torch.diag(self.log_scale.exp())


class Float32Inside(Sound):
    """Lowered on the way, and raised again, in both directions."""

    def parameters_of(self, kept: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = super().parameters_of(kept, context)
        return shift.float().to(kept.dtype), log_scale.float().to(kept.dtype)


class LogDetOfHalfPrecision(Sound):
    """Adds up in the type of its input."""

    def log_det(self, log_scale: Tensor) -> Tensor:
        return super().log_det(log_scale).to(log_scale.dtype)


class SolvesInHalfPrecision(Sound):
    """Solves for a matrix of the type of its parameters, which PyTorch cannot in half precision."""

    def unscale(self, z: Tensor) -> Tensor:
        return torch.linalg.solve(torch.diag(self.log_scale.exp()), z.unsqueeze(-1)).squeeze(-1)


BROKEN: dict[type[Sound], str] = {
    EpsilonInOneDirection: "round_trip_of_data",
    NotOntoTheRealLine: "round_trip_of_latents",
    TooFewSteps: "round_trip_of_data",
    SignOfTheLogDet: "log_det_of_jacobian",
    MissingTerm: "log_det_of_jacobian",
    MeanInsteadOfSum: "log_det_of_jacobian",
    InverseReportsForward: "log_dets_cancel",
    Projection: "log_det_of_jacobian",
    ScalarLogDet: "shapes",
    LogDetOfEachElement: "shapes",
    NoLogDet: "shapes",
    Float32Result: "dtypes",
    Float32LogDet: "dtypes",
    LeftBehind: "devices",
    ReadsItsParameters: "devices",
    MaskIsLost: "meta_device",
    WrongOutputShape: "output_shape",
    SilentlyDropsFeatures: "other_event_shapes",
    MeanOfTheBatch: "batch_independence",
    MeanContext: "batch_independence",
    OneBatchDimension: "batch_shapes",
    HiddenRandomness: "deterministic",
    DropoutInEvalMode: "deterministic",
    DrawsAndDiscards: "random_state_untouched",
    DrawsFromNumpy: "random_state_untouched",
    ChangesItsInput: "inputs_untouched",
    ChangesItsContext: "inputs_untouched",
    CountsCalls: "state_untouched",
    RemembersItsInput: "state_untouched",
    RemembersInABox: "state_untouched",
    RemembersWithoutGradients: "state_untouched",
    DetachedLogDet: "gradients",
    InverseWithoutGradient: "gradients",
    StraightThrough: "gradients",
    DeadParameter: "parameter_gradients",
    NanGradient: "parameter_gradients",
    Overflows: "extreme_inputs",
    UnstatedInterval: "extreme_inputs",
    UncheckedInterval: "extreme_inputs",
    StaleInverse: "updates_take_effect",
    GivesItsInputBack: "updates_take_effect",
    CacheSurvivesLoading: "state_dict",
    UnsavedState: "state_dict",
    CopiesShare: "deepcopy",
    CannotBePickled: "pickle",
    ForgottenByPickle: "pickle",
    IgnoresItsContext: "context_used",
    InverseIgnoresItsContext: "context_used",
    BindsSomethingElse: "bind",
    ContextOfFullBatch: "context_of_one",
    FirstContextForAll: "context_broadcast",
    FarFromTheOrigin: "float32_round_trip",
    BranchOnData: "compile",
    WritesInPlace: "vmap",
    KeepsItsParameters: "functional_call",
    MatrixInHalfPrecision: "autocast_round_trip",
    HalfPrecisionResult: "autocast_log_det",
    LogDetInHalfPrecision: "autocast_log_det",
    LogDetOfHalfPrecision: "half_precision",
    SolvesInHalfPrecision: "half_precision",
    Float32Inside: "float64_kept",
}


def case(make: Callable[[], Sound]) -> Case:
    return Case(make, event=(FEATURES,), context=(CONTEXT,))
