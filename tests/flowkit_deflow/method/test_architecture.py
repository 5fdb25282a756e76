from collections.abc import Mapping
from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit import Additive, Affine, Coupling, Injector, initialize
from flowkit.transforms import BoundedLogScale, SigmoidScale
from flowkit_deflow.method.architecture import (
    COUPLINGS,
    SCALES,
    SHIFTS,
    build_bijector,
    build_latents,
    level_channels,
)
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.brightness import BrightnessShift
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from flowkit_deflow.settings.schema import Architecture
from tests.flowkit_deflow.networks import TINY, UNCONDITIONAL, perturbed

SIGMOID = replace(TINY, scale="sigmoid")
ADDITIVE = replace(TINY, coupling="additive")
THREE_LEVELS = replace(TINY, levels=3, split_after=(1, 2), factor=8)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    levels = draw(st.integers(1, 4))
    splits = draw(st.sets(st.integers(1, levels - 1))) if levels > 1 else set()
    return replace(
        TINY,
        levels=levels,
        split_after=tuple(sorted(splits)),
        factor=draw(st.sampled_from([4, 8, 16, None])),
        steps=draw(st.integers(1, 2)),
        plain_steps=draw(st.integers(0, 2)),
        coupling=draw(st.sampled_from(["affine", "additive"])),
        scale=draw(st.sampled_from(["sigmoid", "bounded"])),
        shift=draw(st.sampled_from(["correlated", "uncorrelated", "none", "binned"])),
        shift_classes=(1, 1),
    )


class TestLevelChannels:
    @pytest.mark.parametrize(
        ("levels", "split_after", "channels"),
        [
            (3, (1,), [12, 24, 96]),
            (3, (1, 2), [12, 24, 48]),
            (3, (), [12, 48, 192]),
            (1, (), [12]),
            (4, (2,), [12, 48, 96, 384]),
        ],
    )
    def test_by_hand(self, levels: int, split_after: tuple[int, ...], channels: list[int]) -> None:
        assert level_channels(replace(TINY, levels=levels, split_after=split_after)) == channels


class TestShapes:
    @settings(deadline=None, max_examples=30)
    @given(architecture=architectures(), rows=st.integers(1, 3), columns=st.integers(1, 3))
    def test_latents_hold_as_many_numbers_and_fit_their_model(
        self, architecture: Architecture, rows: int, columns: int
    ) -> None:
        shape = (3, rows * architecture.alignment, columns * architecture.alignment)
        bijector, latents = build_bijector(architecture), build_latents(architecture)
        shapes = bijector.output_shape(shape)
        assert sum(c * h * w for c, h, w in shapes) == shape[0] * shape[1] * shape[2]
        assert [c for c, _, _ in shapes] == [shift.channels for shift in latents.shifts]
        assert bijector.input_shape(shapes) == shape

    @settings(deadline=None, max_examples=10)
    @given(architecture=architectures(), rows=st.integers(1, 2), columns=st.integers(1, 2))
    def test_every_architecture_runs_both_ways(self, architecture: Architecture, rows: int, columns: int) -> None:
        size = rows * architecture.alignment, columns * architecture.alignment
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(2, 3, *size, generator=generator, dtype=torch.float64)
        h = None
        if architecture.h_factor is not None:
            small = size[0] // architecture.h_factor, size[1] // architecture.h_factor
            h = torch.rand(2, 3, *small, generator=generator, dtype=torch.float64)
        bijector = build_bijector(architecture).double()
        initialize(bijector, images, h)
        z, log_det = bijector(images, h)
        back, log_det_back = bijector.inverse(z, h)
        # The start from two small images may scale by up to 1e6 where a channel is constant.
        torch.testing.assert_close(back, images, atol=1e-6, rtol=0)
        torch.testing.assert_close(log_det_back, -log_det, atol=1e-6, rtol=1e-6)


class TestDensity:
    @pytest.mark.parametrize("architecture", [TINY, SIGMOID, ADDITIVE, UNCONDITIONAL, replace(TINY, split_after=())])
    def test_log_det_against_the_jacobian(self, architecture: Architecture) -> None:
        bijector = perturbed(architecture, dtype=torch.float64).bijector
        generator = torch.Generator().manual_seed(1)
        image = torch.rand(1, 3, 4, 8, generator=generator, dtype=torch.float64)
        h = None if architecture.h_factor is None else torch.rand(1, 3, 1, 2, generator=generator, dtype=torch.float64)
        bound = bijector.bind(h)

        def flat(values: Tensor) -> Tensor:
            return torch.cat([part.flatten() for part in bound(values)[0]])

        jacobian = torch.autograd.functional.jacobian(flat, image).reshape(96, 96)
        _, log_det = bound(image)
        torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian).logabsdet, atol=1e-8, rtol=1e-8)

    @pytest.mark.parametrize("architecture", [TINY, SIGMOID, ADDITIVE, UNCONDITIONAL, THREE_LEVELS])
    def test_round_trip(self, architecture: Architecture) -> None:
        bijector = perturbed(architecture, dtype=torch.float64).bijector
        generator = torch.Generator().manual_seed(1)
        image = torch.rand(2, 3, 16, 24, generator=generator, dtype=torch.float64)
        h = None
        if architecture.h_factor is not None:
            sides = 16 // architecture.h_factor, 24 // architecture.h_factor
            h = torch.rand(2, 3, *sides, generator=generator, dtype=torch.float64)
        z, log_det = bijector(image, h)
        back, log_det_back = bijector.inverse(z, h)
        torch.testing.assert_close(back, image, atol=1e-9, rtol=0)
        torch.testing.assert_close(log_det_back, -log_det, atol=1e-8, rtol=1e-8)

    def test_h_matters(self) -> None:
        bijector = perturbed(TINY).bijector
        image = torch.full((1, 3, 8, 8), 0.5)
        one, other = (bijector(image, torch.full((1, 3, 2, 2), value))[1] for value in (0.2, 0.8))
        assert (one - other).abs() > 1e-3

    def test_without_h_a_conditional_flow_refuses(self) -> None:
        with pytest.raises(ValueError, match="conditional"):
            perturbed(TINY).bijector(torch.rand(1, 3, 8, 8))


class TestParts:
    @pytest.mark.parametrize("architecture", [TINY, THREE_LEVELS, replace(TINY, steps=3)])
    def test_numbers_of_steps(self, architecture: Architecture) -> None:
        modules = list(build_bijector(architecture).modules())
        couplings = [module for module in modules if isinstance(module, Coupling)]
        injectors = [module for module in modules if isinstance(module, Injector)]
        assert len(couplings) == len(injectors) == architecture.levels * architecture.steps

    def test_without_conditioning_there_are_no_injectors(self) -> None:
        assert not any(isinstance(module, Injector) for module in build_bijector(UNCONDITIONAL).modules())

    @pytest.mark.parametrize(("name", "kind"), [("sigmoid", SigmoidScale), ("bounded", BoundedLogScale)])
    def test_scale_functions_by_name(self, name: str, kind: type) -> None:
        architecture = replace(TINY, scale=name, scale_eps=0.25, split_after=())
        couplings = [m for m in build_bijector(architecture).modules() if isinstance(m, (Coupling, Injector))]
        scales = [part for coupling in couplings for part in coupling.transform.children()]
        assert scales
        assert all(isinstance(scale, kind) for scale in scales)
        if kind is SigmoidScale:
            assert {scale.eps for scale in scales} == {0.25}

    def test_the_bound_of_the_scales(self) -> None:
        modules = build_bijector(replace(TINY, scale_bound=0.75)).modules()
        layers = [module for module in modules if isinstance(module, (Coupling, Injector))]
        assert {scale.bound for layer in layers for scale in layer.transform.children()} == {0.75}

    @pytest.mark.parametrize(("name", "kind"), [("affine", Affine), ("additive", Additive)])
    def test_couplings_by_name(self, name: str, kind: type) -> None:
        modules = list(build_bijector(replace(TINY, coupling=name)).modules())
        assert {type(module.transform) for module in modules if isinstance(module, Coupling)} == {kind}
        # The injectors' scales come from h alone, whatever the couplings do.
        assert {type(module.transform) for module in modules if isinstance(module, Injector)} == {Affine}

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("correlated", CorrelatedShift),
            ("uncorrelated", UncorrelatedShift),
            ("none", InferredShift),
            ("binned", BinnedShift),
            ("brightness", BrightnessShift),
        ],
    )
    def test_latent_models_by_name(self, name: str, kind: type) -> None:
        shifts = build_latents(replace(TINY, shift=name, shift_start=0.125)).shifts
        assert [type(shift) for shift in shifts] == [kind, kind]
        start = 0.0 if kind is InferredShift else 0.125
        assert all(torch.equal(shift.factor, start * torch.eye(shift.channels)) for shift in shifts)


class TestTables:
    @pytest.mark.parametrize(
        ("setting", "table"), [("scale", SCALES), ("coupling", COUPLINGS), ("shift", SHIFTS)], ids=lambda value: value
    )
    def test_every_name_of_the_settings_stands_for_something(self, setting: str, table: Mapping[str, object]) -> None:
        assert set(get_args(get_type_hints(Architecture)[setting])) == set(table)

    def test_what_the_names_stand_for(self) -> None:
        config = replace(TINY, scale_eps=0.125, scale_bound=0.5, shift_start=0.25)
        assert SCALES["sigmoid"](config)(torch.tensor(-1e3)).exp().item() == pytest.approx(0.125)
        assert SCALES["bounded"](config)(torch.tensor(1e3)).item() == pytest.approx(0.5)
        factors = {name: make(2, config).factor.detach() for name, make in SHIFTS.items()}
        assert torch.equal(factors["correlated"], 0.25 * torch.eye(2))
        assert torch.equal(factors["uncorrelated"], 0.25 * torch.eye(2))
        assert torch.equal(factors["none"], torch.zeros(2, 2))
        binned = SHIFTS["binned"](2, replace(config, shift_classes=(2, 5)))
        assert isinstance(binned, BinnedShift)
        assert (len(binned.brightness_centres), len(binned.contrast_centres)) == (2, 5)
