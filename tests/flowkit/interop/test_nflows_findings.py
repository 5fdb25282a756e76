"""nflows' own transforms through the checks of the contract: what is found is what is listed."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import torch
from nflows import distributions, transforms
from nflows.nn.nets import MLP
from nflows.transforms import nonlinearities

from flowkit.testing import run_checks
from tests.flowkit.interop.nflows_findings import BESIDE, CAUSES, EVERY, FINDINGS, NFLOWS
from tests.flowkit.interop.nflows_transforms import LEFT_OUT, TRANSFORMS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# The table is of a machine without an accelerator, where one property cannot see everything.
UNSEEN = frozenset({"devices"} if torch.accelerator.is_available() else ())
# And of a current torch: 2.6 compiles no selection by a boolean mask, where later versions do.
FOUND_BEFORE = {"LogTanh": {"compile": "boolean masks"}} if torch.__version__ < "2.7" else {}


def test_the_release_is_the_one_that_was_looked_at() -> None:
    assert version("nflows") == NFLOWS


def test_every_transform_of_nflows_is_checked() -> None:
    def exported() -> Iterator[str]:
        for module in (transforms, nonlinearities):
            for name, value in vars(module).items():
                if isinstance(value, type) and value.__module__.startswith("nflows.transforms"):
                    yield name

    checked = {name.partition(",")[0] for name in TRANSFORMS}
    assert set(exported()) == checked | set(LEFT_OUT)


def test_the_table_speaks_of_what_there_is() -> None:
    assert FINDINGS.keys() <= TRANSFORMS.keys()
    causes = [cause for found in FINDINGS.values() for cause in found]
    assert set(causes) == set(CAUSES)
    assert all(properties and properties <= EVERY for found in FINDINGS.values() for properties in found.values())


@pytest.mark.parametrize("name", TRANSFORMS)
def test_findings_are_the_listed_ones(name: str) -> None:
    # One seed: what is listed fails for any, and the properties hold for the others as well.
    report = run_checks(TRANSFORMS[name], name=name, seeds=(0,))
    found = {row.property: row.message for row in report.failures if row.property not in UNSEEN}
    applicable = {row.property for row in report.rows if row.verdict != "not applicable"}
    listed = {
        prop: cause
        for cause, properties in FINDINGS.get(name, {}).items()
        for prop in (properties & applicable) - UNSEEN
    } | FOUND_BEFORE.get(name, {})
    assert found.keys() == listed.keys(), report
    for prop, message in found.items():
        assert re.search(CAUSES[listed[prop]].sign, message), f"{prop}, listed as {listed[prop]!r}: {message}"


# --- the causes, seen without the checks ----------------------------------------------------------------------------


def test_the_linear_spline_is_off_in_its_last_bin() -> None:
    torch.manual_seed(0)
    spline = transforms.PiecewiseLinearCDF([1], num_bins=4).double()
    x = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)[:, None]
    with torch.no_grad():
        back, _ = spline.inverse(spline(x)[0])
    errors = (back - x).abs()
    assert errors[x > 0.75].max() > 1e-7
    # A power of two of bins leaves nothing of the boundaries' own rounding.
    assert errors[x < 0.75].max() < 1e-14


def test_the_cubic_spline_leaves_out_small_cubic_terms() -> None:
    torch.manual_seed(0)
    spline = transforms.PiecewiseCubicCDF([20], num_bins=4).double()
    x = torch.rand(100, 20, dtype=torch.float64)
    errors = {}
    with torch.no_grad():
        for size in (1.0, 1e-4):
            for parameter in spline.parameters():
                parameter.copy_(size * torch.randn_like(parameter))
            errors[size] = float((spline.inverse(spline(x)[0])[0] - x).abs().max())
    assert errors[1.0] < 1e-10
    assert 1e-7 < errors[1e-4] < 1e-4


def test_too_many_reflections_of_an_odd_number_cannot_be_made() -> None:
    transforms.HouseholderSequence(3, 5)
    with pytest.raises(IndexError):
        transforms.HouseholderSequence(3, 7)


def test_tanh_saturates_in_float32_from_nine_on() -> None:
    _, log_det = transforms.Tanh()(torch.tensor([[8.0], [9.5]]))
    assert log_det.isfinite().tolist() == [True, False]


def test_a_cached_matrix_is_kept() -> None:
    torch.manual_seed(0)
    linear, other = (transforms.LULinear(3, using_cache=True, identity_init=False).eval() for _ in range(2))
    x = torch.randn(2, 3)
    before, _ = linear(x)
    linear.load_state_dict(other.state_dict())
    assert torch.equal(linear(x)[0], before)
    assert not torch.allclose(linear.train()(x)[0], before)


# --- beside the checks ----------------------------------------------------------------------------------------------


def test_remarks_beside_the_findings_are_true() -> None:
    told = set()

    one = transforms.ActNorm(3)
    one(torch.randn(1, 3))
    assert one.log_scale.isnan().all()
    assert one.shift.isnan().all()
    constant = transforms.ActNorm(2)
    constant(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
    assert constant.log_scale.isinf().tolist() == [True, False]
    told.add("ActNorm")

    norm = transforms.BatchNorm(3)
    x = torch.randn(4, 3)
    assert not torch.allclose(norm(x)[0][:2], norm(x[:2])[0])
    with pytest.raises(transforms.InverseNotAvailable):
        norm.inverse(x)
    told.add("BatchNorm")

    far = torch.tensor([[20.0]], dtype=torch.float64)
    sigmoid = transforms.Sigmoid(temperature=2)
    assert sigmoid.inverse(sigmoid(far)[0])[0].item() == pytest.approx(13.8155 / 2, abs=1e-3)
    assert not sigmoid.state_dict()
    assert sigmoid.to("meta").temperature.device.type == "cpu"
    told.add("Sigmoid")

    # Where there are no numbers, none can be brought to the CPU.
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        transforms.LeakyReLU()(torch.zeros(1, 2, device="meta"))
    told.add("LeakyReLU")

    with pytest.raises(TypeError, match="positional arguments"):
        transforms.AffineCouplingTransform([1, 0], lambda i, o: MLP([i], [o], [8]))(torch.randn(3, 2))
    told.add("AffineCouplingTransform")

    diagonal = distributions.DiagonalNormal([3])
    with pytest.raises(NotImplementedError):
        diagonal.sample(2)
    assert callable(diagonal.mean())
    with pytest.raises(RuntimeError):
        distributions.DiagonalNormal([2, 3]).log_prob(torch.randn(4, 2, 3))
    told.add("DiagonalNormal")

    conditional: Any = distributions.ConditionalDiagonalNormal([3])
    context = torch.randn(2, 6)
    assert conditional.sample(4, context).shape == (2, 4, 3)
    assert conditional.sample(4, context, batch_size=2).shape == (4, 2, 3)
    told.add("ConditionalDiagonalNormal")

    assert distributions.StandardNormal([3]).double().sample(2).dtype == torch.float32
    told.add("StandardNormal")

    assert told == set(BESIDE)
