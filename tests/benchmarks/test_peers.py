"""The comparison with peers: the same works in every library, true tables. Nothing is timed in earnest here."""

import pickle
import re
import shutil
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
from benchmarks.bench_options import Options, arguments
from benchmarks.outputs import DOCS
from benchmarks.page import fill
from benchmarks.peers import table
from benchmarks.peers.cases import CALLS, cases, repeated
from benchmarks.peers.libraries import LIBRARIES, build, takes_part
from benchmarks.peers.measured import PHASES, saved_bytes
from benchmarks.peers.model import Model
from benchmarks.peers.work import FULL, GRIDS, QUICK, RECORD, Work
from benchmarks.products import products

PAIRS = {
    grid: [(library, name) for name, work in works.items() for library in LIBRARIES if takes_part(library, work)]
    for grid, works in GRIDS.items()
}
BUILT = PAIRS["quick"]
VECTORS = [name for name, work in RECORD.items() if len(work.event) == 1 and not work.family]
PARTS = ("times", "families", "conditional", "saved", "parameters", "conditions")
FAMILIES = {name: work for name, work in QUICK.items() if work.family}


def timed_phases(library: str, name: str) -> list[str]:
    work = QUICK[name]
    return [phase for phase in work.phases if takes_part(library, work, phase)]


def test_every_library_takes_part_where_it_can():
    absent = {(library, name) for name in QUICK.keys() - FAMILIES.keys() for library in LIBRARIES} - set(BUILT)
    conditional = [name for name, work in QUICK.items() if work.context]
    assert absent == {
        *(("zuko", name) for name in ("glow", "plain_glow")),
        *(("FrEIA", name) for name in ("spline", "maf", "glow", *conditional)),
        *(("normflows", name) for name in conditional if not name.startswith("nsf given")),
        ("nflows", "glow"),
        # Beside these, what Pyro has in another form than the works, it is not timed at.
        *(("pyro", name) for name in QUICK.keys() - FAMILIES.keys()),
    }


def test_the_families_are_beside_the_peers_that_have_them():
    peers = {name: {library for library, other in BUILT if other == name} - {"flowkit"} for name in FAMILIES}
    splines = ("linear_spline", "quadratic_spline", "cubic_spline")
    assert peers == {
        "naf": {"zuko", "pyro"},
        "bnaf": {"pyro"},
        **{name: {"zuko"} for name in ("unaf", "sospf", "bpf", "gaussianization")},
        "planar": {"normflows", "pyro"},
        "radial": {"normflows", "pyro"},
        "sylvester": {"pyro"},
        "residual": {"normflows"},
        "ncsf": {"zuko", "normflows"},
        "gin": {"FrEIA"},
        **{name: {"nflows"} for name in splines},
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_every_phase_of_a_family_has_a_peer(name):
    for phase in FAMILIES[name].phases:
        assert any(takes_part(library, FAMILIES[name], phase) for library in LIBRARIES if library != "flowkit")


def test_all_grids_have_the_same_models():
    for works in (QUICK, RECORD, FULL):
        models = {(work.model, work.context > 0) for work in works.values() if not work.family}
        assert {work.model for work in works.values() if work.family} == FAMILIES.keys()
        assert models == {
            *((name, False) for name in ("spline", "affine", "maf", "glow", "plain_glow")),
            *((name, True) for name in ("maf", "nsf", "nsf_autoregressive", "realnvp")),
        }


def test_the_record_has_a_diagonal_of_the_whole_grid():
    assert RECORD.items() <= FULL.items()
    grid = {(work.model, work.context, work.batch) for work in FULL.values() if work.context}
    assert len(grid) == 4 * 3 * 3
    assert {(work.context, work.batch) for work in RECORD.values() if work.context} == {
        (16, 512),
        (64, 1024),
        (128, 4096),
    }


@pytest.mark.parametrize(("library", "name"), BUILT)
def test_log_densities_are_finite_and_samples_have_the_datas_shape(library, name):
    work = QUICK[name]
    model = build(library, work)
    if takes_part(library, work, "sampling"):
        samples = PHASES["sampling"](model, work)()
        assert isinstance(samples, Tensor)
        assert samples.shape == (work.batch, *work.event)
        assert samples.isfinite().all()
        assert not samples.requires_grad
        assert not model.module.training
    else:
        with pytest.raises(NotImplementedError, match="no way"):
            model.sample(3)
    log_prob = PHASES["log_prob"](model, work)()
    assert isinstance(log_prob, Tensor)
    assert log_prob.shape == (work.batch,)
    assert log_prob.isfinite().all()


@pytest.mark.parametrize(("library", "name"), BUILT)
def test_training_steps_learn(library, name):
    work = QUICK[name]
    model = build(library, work)
    step = PHASES["training step"](model, work)
    step()
    with torch.no_grad():
        before = model.log_prob(*work.data()).mean()
    for _ in range(5):
        step()
    with torch.no_grad():
        assert model.log_prob(*work.data()).mean() > before
    assert all(parameter.grad is None for parameter in model.parameters)


@pytest.mark.parametrize(("library", "name"), [pair for pair in PAIRS["record"] if pair[1] in VECTORS])
def test_vector_models_have_the_same_number_of_parameters_in_every_library(library, name):
    work = RECORD[name]
    size, own = build(library, work).size, build("flowkit", work).size
    if work.context:
        # Matrices in LU form have an offset or not, and nflows' context has one of its own.
        assert size == pytest.approx(own, rel=0.011)
    else:
        # To the last one: the same matrices and offsets, and nothing else.
        assert size == own


@pytest.mark.parametrize(("library", "name"), [pair for pair in BUILT if QUICK[pair[1]].context])
def test_densities_and_samples_depend_on_the_context(library, name):
    work = QUICK[name]
    model = build(library, work)
    step = PHASES["training step"](model, work)
    # From a start that may be the identity, whatever the context.
    step()
    model.module.eval()
    x, context = work.data()
    with torch.no_grad():
        assert not torch.allclose(model.log_prob(x, context), model.log_prob(x, context + 1), atol=1e-6)
        drawn = []
        for given in (context[:1], context[:1] + 1):
            torch.manual_seed(0)
            drawn.append(model.sample(work.batch, given))
    assert not torch.allclose(*drawn, atol=1e-6)


@pytest.mark.parametrize(("name", "libraries"), [("glow", 2), ("plain_glow", 4)])
def test_glows_are_about_as_large_in_every_library(name, libraries):
    sizes = [build(library, RECORD[name]).size for library, other in PAIRS["record"] if other == name]
    # They differ in the latents' means and the 1x1 convolutions, which are small.
    assert len(sizes) == libraries
    assert max(sizes) <= 1.05 * min(sizes)


@pytest.mark.parametrize("name", ["spline", "affine"])
@pytest.mark.parametrize("library", [library for library in LIBRARIES if library not in ("FrEIA", "pyro")])
def test_couplings_keep_the_first_half(library, name):
    """As the first layer does, alone; FrEIA's blocks have two couplings."""
    work = QUICK[name]
    model = build(library, replace(work, settings=replace(work.settings, layers=1)))
    with torch.no_grad():
        for parameter in model.parameters:
            generator = torch.Generator().manual_seed(parameter.numel())
            # So small that no exponential of a network's output vanishes.
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    x = 0.5 * work.data()[0][0]
    hessian = torch.autograd.functional.hessian(lambda point: model.log_prob(point[None])[0], x)
    coupled = hessian.abs() > 1e-6
    half = len(x) // 2
    # Given those that are kept, the others are independent of each other; the kept ones meet in the network.
    assert torch.equal(coupled[half:, half:], torch.eye(half, dtype=torch.bool))
    assert coupled[:half, half:].any()


def test_every_library_gets_the_same_batch_each_time():
    for work in RECORD.values():
        x, *context = data = work.data()
        for one, other in zip(data, work.data(), strict=True):
            assert torch.equal(one, other)
        assert x.shape == (work.batch, *work.event)
        assert [part.shape for part in context] == ([(work.batch, work.context)] if work.context else [])
        assert [part.shape for part in work.condition()] == ([(1, work.context)] if work.context else [])


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
    work = Work("maf", (3,), RECORD["maf"].settings, batch=16)
    model = Model(module, module.log_prob, lambda number: torch.zeros(number, 3))
    # y; what was computed for nothing is gone at the end, and the batch, the weight and the mask are not counted, but
    # x's gradient is not needed, so that the masked weight is not kept.
    assert saved_bytes(model, work) == 16 * 3 * 4


def test_what_is_saved_grows_with_the_depth():
    work = QUICK["affine"]
    deeper = replace(work, settings=replace(work.settings, layers=2 * work.settings.layers))
    once, twice = (saved_bytes(build("flowkit", each), each) for each in (work, deeper))
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

    replay = products(step).replay
    assert counted(replay)["Global"] == counted(step)["Global"] != {}
    names = operators(replay)
    assert {"aten::bmm", "aten::addmm", "aten::mm", "aten::convolution", "aten::convolution_backward"} <= names
    assert not names & {"aten::tanh", "aten::sum", "aten::relu", "aten::rand"}


def test_multiply_adds_are_those_of_the_layers():
    network = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 2))
    x = torch.rand(11, 5)
    forward = 11 * (5 * 16 + 16 * 7 + 7 * 2)
    assert products(lambda: network(x)).multiply_adds == forward
    with torch.no_grad():
        assert products(lambda: network(x)).multiply_adds == forward
    # Gradients of weights, and of all images but the first.
    backward = forward + 11 * (16 * 7 + 7 * 2)
    assert products(lambda: network(x).sum().backward()).multiply_adds == forward + backward


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_multiply_adds_of_convolutions_are_those_of_their_taps(transposed, groups):
    layer = nn.ConvTranspose2d if transposed else nn.Conv2d
    convolution = layer(4, 6, 3, padding=1, stride=2, groups=groups, bias=False)
    images = torch.rand(2, 4, 8, 8, requires_grad=True)
    result = convolution(images)
    # A place for each use of a kernel of one channel: of the result, or of the image that is spread out.
    places = (images if transposed else result).numel()
    forward = places * (6 if transposed else 4) // groups * 9
    assert products(lambda: convolution(images)).multiply_adds == forward
    assert products(lambda: convolution(images).sum().backward()).multiply_adds == 3 * forward


def test_a_flow_does_the_multiply_adds_of_its_networks():
    work = QUICK["affine"]
    (first, second), features = work.settings.hidden, work.event[0]
    half = features // 2
    networks = work.settings.layers * (half * first + first * second + second * 2 * half)
    call = PHASES["sampling"](build("flowkit", work), work)
    assert products(call).multiply_adds == work.batch * networks


@pytest.mark.parametrize("name", [name for name in QUICK if name not in FAMILIES])
def test_no_product_of_flowkits_is_left_out(name):
    """As far as PyTorch's own counter knows them: no packed kernels, and no products with a single vector."""
    work = QUICK[name]
    call = PHASES["training step"](build("flowkit", work), work)
    counted = products(call).multiply_adds
    with FlopCounterMode(display=False) as counter:
        call()
    assert counted >= counter.get_total_flops() / 2 > 0
    if len(work.event) == 1:
        assert counted == counter.get_total_flops() / 2


def test_a_product_by_an_unknown_operator_is_told():
    @torch.library.custom_op("benchmarks_test::product", mutates_args=())
    def product(a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    with pytest.raises(RuntimeError, match="operator benchmarks_test::product is not known"):
        products(lambda: product(torch.rand(2, 3), torch.rand(3, 4)))


def test_what_is_timed_can_be_made_in_another_process():
    (*_, compiled) = made = cases("training step", QUICK["affine"], compile_too=True)
    assert compiled == table.COMPILED
    assert list(made)[:-1] == list(cases("training step", QUICK["affine"], compile_too=False))
    for prepare in made.values():
        repeated(pickle.loads(pickle.dumps(prepare)))


def test_a_run_is_several_calls():
    calls = []
    repeated(lambda: lambda: calls.append(None))()
    assert len(calls) == CALLS


def test_options_reach_the_benchmarks():
    assert arguments(Options("quick", rounds=3, only=("planar", "maf given 4, batch 16"))) == [
        "-p",
        "benchmarks.bench_options",
        "--timed-works=quick",
        "--timed-rounds=3",
        "--timed-only=planar",
        "--timed-only=maf given 4, batch 16",
    ]


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
    timed = {(f"{name}, {phase}", library) for library, name in BUILT for phase in timed_phases(library, name)}
    bounded = {f"{name}, {phase}" for name, work in QUICK.items() if work.bounded for phase in work.phases}
    assert found == timed | {(group, table.PRODUCTS) for group in bounded}
    assert record["multiply_adds"].keys() == bounded
    assert all(len(timing["seconds"]) == record["rounds"] == 2 for timing in record["timings"])
    assert {(library, name) for name, libraries in record["models"].items() for library in libraries} == set(BUILT)
    for name, libraries in record["models"].items():
        for found in libraries.values():
            assert found["parameters"] > 0
            assert ("saved_bytes" in found) == (name not in FAMILIES)
    page = (quick / "page.md").read_text()
    assert "old" not in page
    parts = table.sections(record)
    assert parts["times"] in page
    assert parts["families"] in page
    assert parts["conditional"] in page
    assert "given" not in parts["times"]
    assert [row["work"] for row in rows_of(parts["conditional"])] == [
        f"{name}, {phase}" for name, work in QUICK.items() if work.context for phase in PHASES
    ]


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
        *fake("maf given 16, batch 512, log_prob", flowkit=2.0, zuko=3.0),
    ],
    "multiply_adds": {"affine, sampling": 25_000_000},
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
    assert fast["flowkit's products alone"] == "0.500 ms ± 3 %, 0.0250 G"


def test_conditional_flows_have_a_table_of_their_own():
    (row,) = rows_of(table.sections(RECORDED)["conditional"])
    assert row == {
        "work": "maf given 16, batch 512, log_prob",
        "flowkit": "2.00 ms ± 3 %",
        "zuko": "3.00 ms ± 3 %",
        "fastest peer / flowkit": "1.50 (zuko)",
    }


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
            "pyro": "none",
            "least peer / flowkit": "1.25 (zuko)",
        }
    ]
    (sizes,) = rows_of(parts["parameters"])
    assert (sizes["nflows"], sizes["zuko"], sizes["FrEIA"]) == ("1,234", "1,230", "none")


def test_conditions_say_what_was_run():
    text = table.sections(RECORDED)["conditions"]
    assert "2 threads" in text
    assert "batches of 512 x 6, given 16 numbers; layers 5, hidden 64 x 64." in text
    assert "- **glow**: batches of 16 x 3 x 32 x 32; levels 3, steps 8, hidden 128." in text


def outputs(folder: Path) -> tuple[str, ...]:
    """Options of a command that has a record and no page there; else it fills the documentation's."""
    return "--out", str(folder), "--page", str(folder / "page.md")


def test_the_page_shows_the_record():
    page = (DOCS / "benchmarks" / "peers.md").read_text(encoding="utf-8")
    assert fill(page, table.sections(records.read(records.RESULTS / "peers.json"))) == page


def test_works_measured_anew_take_their_old_places(quick, tmp_path):
    shutil.copy(quick / "peers.json", tmp_path)
    assert main(["peers", "--quick", "--only", "planar", *outputs(tmp_path)]) == 0
    before, after = (records.read(folder / "peers.json") for folder in (quick, tmp_path))
    differing = {key for key in before if before[key] != after[key]}
    assert differing == {"timings"}
    assert after["anew"] == ["planar"]
    pairs = list(zip(before["timings"], after["timings"], strict=True))
    assert all((old["group"], old["name"]) == (new["group"], new["name"]) for old, new in pairs)
    changed = {new["group"] for old, new in pairs if old != new}
    assert changed == {f"planar, {phase}" for phase in QUICK["planar"].phases}


def test_nothing_is_measured_anew_where_nothing_is_measured(tmp_path):
    with pytest.raises(SystemExit, match="choose one of them"):
        main(["peers", "--tables-only", "--only", "planar", *outputs(tmp_path)])


@pytest.mark.parametrize(
    ("changes", "only", "said"),
    [
        ({}, "plainar", "no such work; there are "),
        ({"threads": 7}, "planar", "threads of .*peers.json is 7, and would be 1 now"),
        (
            {"command": "python -m benchmarks peers"},
            "planar",
            "command of .*peers.json is python -m benchmarks peers, ",
        ),
        (None, "planar", "is not there; leave --only out"),
    ],
)
def test_works_are_measured_anew_in_a_record_made_alike_alone(quick, tmp_path, changes, only, said):
    if changes is not None:
        records.write(tmp_path / "peers.json", records.read(quick / "peers.json") | changes)
    with pytest.raises(SystemExit, match=said):
        main(["peers", "--quick", "--only", only, *outputs(tmp_path)])
