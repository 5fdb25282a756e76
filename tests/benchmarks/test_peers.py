"""The comparison with peers: the same works in every library, true tables. Nothing is timed in earnest here."""

import pickle
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import record as records
from benchmarks.__main__ import main
from benchmarks.peers import table
from benchmarks.peers.cases import CALLS, cases, repeated
from benchmarks.peers.libraries import LIBRARIES, build, takes_part
from benchmarks.peers.measured import PHASES, saved_bytes
from benchmarks.peers.model import Model
from benchmarks.peers.options import Options, arguments
from benchmarks.peers.products import products_of
from benchmarks.peers.work import QUICK, RECORD, Work
from flowkit.nn import PackableConv2d

BUILT = [(library, name) for name in RECORD for library in LIBRARIES if takes_part(library, name)]
PARTS = ("times", "saved", "parameters", "conditions")


def test_every_library_takes_part_where_it_can():
    absent = {(library, name) for name in RECORD for library in LIBRARIES} - set(BUILT)
    assert absent == {
        *(("zuko", name) for name in ("glow", "plain_glow")),
        *(("FrEIA", name) for name in ("spline", "maf", "glow")),
        ("nflows", "glow"),
    }
    assert list(QUICK) == list(RECORD)


@pytest.mark.parametrize(("library", "name"), BUILT)
def test_log_densities_are_finite_and_samples_have_the_datas_shape(library, name):
    work = QUICK[name]
    model = build(library, name, work)
    samples = PHASES["sampling"](model, work)()
    assert isinstance(samples, Tensor)
    assert samples.shape == (work.batch, *work.event)
    assert samples.isfinite().all()
    assert not samples.requires_grad
    assert not model.module.training
    log_prob = model.log_prob(work.data())
    assert log_prob.shape == (work.batch,)
    assert log_prob.isfinite().all()


@pytest.mark.parametrize(("library", "name"), BUILT)
def test_training_steps_learn(library, name):
    work = QUICK[name]
    model = build(library, name, work)
    step = PHASES["training step"](model, work)
    step()
    with torch.no_grad():
        before = model.log_prob(work.data()).mean()
    for _ in range(5):
        step()
    with torch.no_grad():
        assert model.log_prob(work.data()).mean() > before
    assert all(parameter.grad is None for parameter in model.parameters)


@pytest.mark.parametrize(("library", "name"), [pair for pair in BUILT if len(RECORD[pair[1]].event) == 1])
def test_vector_models_have_the_same_number_of_parameters_in_every_library(library, name):
    # To the last one: the same matrices and offsets, and nothing else.
    assert build(library, name, RECORD[name]).size == build("flowkit", name, RECORD[name]).size


@pytest.mark.parametrize(("work", "libraries"), [("glow", 2), ("plain_glow", 4)])
def test_glows_are_about_as_large_in_every_library(work, libraries):
    sizes = [build(library, name, RECORD[name]).size for library, name in BUILT if name == work]
    # They differ in the latents' means and the 1x1 convolutions, which are small.
    assert len(sizes) == libraries
    assert max(sizes) <= 1.05 * min(sizes)


@pytest.mark.parametrize("name", ["spline", "affine"])
@pytest.mark.parametrize("library", [library for library in LIBRARIES if library != "FrEIA"])
def test_couplings_keep_the_first_half(library, name):
    """As the first layer does, alone; FrEIA's blocks have two couplings."""
    work = QUICK[name]
    model = build(library, name, replace(work, settings=replace(work.settings, layers=1)))
    with torch.no_grad():
        for parameter in model.parameters:
            generator = torch.Generator().manual_seed(parameter.numel())
            # So small that no exponential of a network's output vanishes.
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    x = 0.5 * work.data()[0]
    hessian = torch.autograd.functional.hessian(lambda point: model.log_prob(point[None])[0], x)
    coupled = hessian.abs() > 1e-6
    half = len(x) // 2
    # Given those that are kept, the others are independent of each other; the kept ones meet in the network.
    assert torch.equal(coupled[half:, half:], torch.eye(half, dtype=torch.bool))
    assert coupled[:half, half:].any()


def test_every_library_gets_the_same_batch_each_time():
    for work in RECORD.values():
        assert torch.equal(work.data(), work.data())
        assert work.data().shape == (work.batch, *work.event)


class Exponential(nn.Module):
    """A density of a known footprint."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("mask", torch.ones(3))

    def log_prob(self, x: Tensor) -> Tensor:
        # Kept: the batch and the weight, the masked weight's factors, and y, both by exp and twice by the square.
        y = (x * (self.weight * self.mask)).exp()
        x.sin().mul(self.weight)
        return (y * y).sum(1)


def test_what_a_step_keeps_is_counted_once_without_what_is_there_anyway():
    module = Exponential()
    work = Work((3,), RECORD["maf"].settings, batch=16)
    model = Model(module, module.log_prob, lambda number: torch.zeros(number, 3))
    # y; what was computed for nothing is gone at the end, and the batch, the weight and the mask are not counted, but
    # x's gradient is not needed, so that the masked weight is not kept.
    assert saved_bytes(model, work) == 16 * 3 * 4


def test_what_is_saved_grows_with_the_depth():
    work = QUICK["affine"]
    deeper = replace(work, settings=replace(work.settings, layers=2 * work.settings.layers))
    once, twice = (saved_bytes(build("flowkit", "affine", each), each) for each in (work, deeper))
    assert 1.8 * once < twice < 2.2 * once


def operators(call: Callable[[], object]) -> set[str]:
    """Names of what a call does."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        call()
    return {event.key for event in profiled.key_averages()}


def test_products_are_done_again_alone():
    layer = nn.Linear(3, 5)
    images = torch.rand(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    convolution = nn.Conv2d(4, 2, 3)

    shared = torch.rand(1, 4, 6)

    def step() -> None:
        shared.expand(3, 4, 6) @ torch.rand(3, 6, 2)
        layer(torch.rand(7, 3)).tanh().sum().backward()
        convolution(images).relu().sum().backward()

    def counted(call: Callable[[], object]) -> dict[str, dict[Any, int]]:
        with FlopCounterMode(display=False) as counter:
            call()
        return {module: dict(by_operation) for module, by_operation in counter.get_flop_counts().items()}

    replay = products_of(step)
    assert counted(replay)["Global"] == counted(step)["Global"] != {}
    names = operators(replay)
    assert {"aten::bmm", "aten::addmm", "aten::mm", "aten::convolution", "aten::convolution_backward"} <= names
    assert not names & {"aten::tanh", "aten::sum", "aten::relu", "aten::rand"}


def test_convolutions_by_kernels_that_are_kept_are_done_again():
    layer, images = PackableConv2d(4, 2, 3).eval(), torch.rand(2, 4, 8, 8)

    def call() -> None:
        with torch.no_grad():
            layer(images)

    assert "mkldnn::_convolution_pointwise" in operators(call) & operators(products_of(call))


def test_what_is_timed_can_be_made_in_another_process():
    (*_, compiled) = made = cases("affine", "training step", QUICK["affine"], compile_too=True)
    assert compiled == table.COMPILED
    assert list(made)[:-1] == list(cases("affine", "training step", QUICK["affine"], compile_too=False))
    for prepare in made.values():
        repeated(pickle.loads(pickle.dumps(prepare)))


def test_a_run_is_several_calls():
    calls = []
    repeated(lambda: lambda: calls.append(None))()
    assert len(calls) == CALLS


def test_options_reach_the_benchmarks():
    assert arguments(Options(quick=True, rounds=3)) == [
        "-p",
        "benchmarks.peers.options",
        "--peers-rounds=3",
        "--peers-quick",
    ]
    assert "--peers-quick" not in arguments(Options())


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a quick run leaves in a folder, its page beside it."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "page.md").write_text("".join(f"<!-- begin {part} -->\nold\n<!-- end {part} -->\n" for part in PARTS))
    assert main(["peers", "--quick", "--out", str(folder), "--page", str(folder / "page.md")]) == 0
    return folder


def test_a_quick_run_leaves_a_record_and_tables(quick):
    record = records.read(quick / "peers.json")
    assert {"machine", "versions", "threads", "rounds", "calls", "works", "command", "minutes"} <= set(record)
    assert {"python", "torch", "flowkit", "nflows", "normflows", "zuko", "FrEIA"} <= set(record["versions"])
    found = {(timing["group"], timing["name"]) for timing in record["timings"]}
    timed = [*BUILT, *((table.PRODUCTS, name) for name in RECORD)]
    assert found == {(f"{name}, {phase}", library) for library, name in timed for phase in PHASES}
    assert all(len(timing["seconds"]) == record["rounds"] == 2 for timing in record["timings"])
    assert {(library, name) for name, libraries in record["models"].items() for library in libraries} == set(BUILT)
    assert all(figures["saved_bytes"] > 0 for libraries in record["models"].values() for figures in libraries.values())
    page = (quick / "page.md").read_text()
    assert "old" not in page
    assert table.sections(record)["times"] in page


def test_tables_are_made_again_of_the_record_alone(quick):
    page = quick / "page.md"
    before = page.read_text()
    page.write_text(re.sub(r"(<!-- begin saved -->\n).*?(<!-- end saved)", r"\1\2", before, flags=re.DOTALL))
    assert page.read_text() != before
    assert main(["peers", "--tables-only", "--out", str(quick), "--page", str(page)]) == 0
    assert page.read_text() == before


def fake(group: str, **milliseconds: float) -> list[dict[str, Any]]:
    names = {name.replace("_", " "): value for name, value in milliseconds.items()}
    return [{"group": group, "name": name, "median": t / 1000, "spread": 0.03} for name, t in names.items()]


def rows_of(text: str) -> list[dict[str, str]]:
    """A Markdown table's rows by its header."""
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


RECORDED: dict[str, Any] = {
    "command": "python -m benchmarks peers",
    "minutes": 3.2,
    "machine": "a machine",
    "threads": 2,
    "rounds": 7,
    "calls": 10,
    "versions": {"torch": "2"},
    "works": {name: asdict(work) for name, work in RECORD.items()},
    "timings": [
        # In another order than the columns.
        *fake("maf, sampling", zuko=400.0, normflows=5123.4, flowkit=100.0, nflows=250.0, flowkit_compiled=9.876),
        *fake("affine, sampling", flowkit=2.0, FrEIA=1.0, **{table.PRODUCTS: 0.5}),
    ],
    "models": {
        "maf": {
            "nflows": {"saved_bytes": 3_000_000, "parameters": 1234},
            "flowkit": {"saved_bytes": 2_000_000, "parameters": 1234},
            "zuko": {"saved_bytes": 2_500_000, "parameters": 1230},
        },
    },
}


def test_times_are_in_their_columns_beside_the_fastest_peer():
    slow, fast = rows_of(table.sections(RECORDED)["times"])
    assert slow == {
        "work": "maf, sampling",
        "flowkit": "100 ms ± 3 %",
        "flowkit compiled": "9.88 ms ± 3 %",
        "flowkit's products alone": "none",
        "nflows": "250 ms ± 3 %",
        "normflows": "5123 ms ± 3 %",
        "zuko": "400 ms ± 3 %",
        "FrEIA": "none",
        "fastest peer / flowkit": "2.50 (nflows)",
    }
    assert fast["fastest peer / flowkit"] == "0.50 (FrEIA)"
    assert fast["nflows"] == fast["flowkit compiled"] == "none"
    assert fast["flowkit's products alone"] == "0.500 ms ± 3 %"


def test_memory_and_parameters_are_in_their_columns():
    parts = table.sections(RECORDED)
    assert rows_of(parts["saved"]) == [
        {
            "work": "maf",
            "flowkit": "2.00 MB",
            "nflows": "3.00 MB",
            "normflows": "none",
            "zuko": "2.50 MB",
            "FrEIA": "none",
            "least peer / flowkit": "1.25 (zuko)",
        }
    ]
    (sizes,) = rows_of(parts["parameters"])
    assert (sizes["nflows"], sizes["zuko"], sizes["FrEIA"]) == ("1,234", "1,230", "none")


def test_conditions_say_what_was_run():
    text = table.sections(RECORDED)["conditions"]
    assert "2 threads" in text
    assert "- **glow**: batches of 16 x 3 x 32 x 32; levels 3, steps 8, hidden 128." in text
