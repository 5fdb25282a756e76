"""``python -m benchmarks gpu``: each section runs, small and on a CPU; errors, limits and interruptions are kept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import record as records
from benchmarks.__main__ import main
from benchmarks.gpu import runner, table
from benchmarks.gpu.arithmetic import ARITHMETICS, arithmetic
from benchmarks.gpu.clock import timed
from benchmarks.gpu.runner import run_sections
from benchmarks.gpu.section import PEERS, SECTIONS
from benchmarks.gpu.sections import peers
from benchmarks.gpu.sizes import FULL, QUICK, Setting
from benchmarks.page import fill
from benchmarks.peers.libraries import LIBRARIES
from flowkit.testing.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks/gpu.md"
ON_CPU = ("--device", "cpu", "--quick")
PARTS = ("gpu", "conditions")


def in_this_process(name: str, options: Sequence[str], seconds: float, add: Callable[[Any], None]) -> None:
    """A section's rows without a process of its own, which takes seconds to start."""
    for row in SECTIONS[name].rows(Setting(torch.device("cpu"), QUICK)):
        add(dict(row))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a quick run of all sections leaves."""
    folder = tmp_path_factory.mktemp("quick")
    page = folder / "page.md"
    page.write_text(
        "".join(f"<!-- begin {part} -->\nto be replaced\n<!-- end {part} -->\n" for part in PARTS), encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_run", in_this_process)
        assert main(["gpu", *ON_CPU, "--minutes", "30", "--out", str(folder), "--page", str(page)]) == 0
    record = records.read(folder / "gpu.json")
    text = page.read_text(encoding="utf-8")
    assert fill(text, table.sections(record)) == text
    assert "to be replaced" not in text
    return record


class TestAQuickRun:
    def test_every_section_has_rows_and_none_fails(self, quick: dict[str, Any]) -> None:
        assert list(quick["sections"]) == list(SECTIONS)
        for name, section in quick["sections"].items():
            assert section["rows"], name
            assert "error" not in section, (name, section["error"])
            assert [row["error"] for row in section["rows"] if "error" in row] == [], name

    def test_it_names_processor_and_versions(self, quick: dict[str, Any]) -> None:
        assert records.processor() in quick["machine"]
        assert torch.__version__.startswith(quick["versions"]["torch"])
        assert quick["versions"]["flowkit"]
        assert quick["command"] == "python -m benchmarks gpu --device cpu --quick"

    def test_values_are_the_published_ones_and_the_cpus(self, quick: dict[str, Any]) -> None:
        for name in ("golden", "values"):
            assert all(row["passed"] for row in quick["sections"][name]["rows"]), name
        quantities = [row["quantity"] for row in quick["sections"]["golden"]["rows"]]
        assert quantities == 2 * ["latents", "log-likelihoods", "degraded images", "the images again"]

    def test_throughput_is_by_batch_and_resolution(self, quick: dict[str, Any]) -> None:
        for name in ("throughput_aim", "throughput_ntire"):
            rows = quick["sections"][name]["rows"]
            assert {(row["side"], row["batch"]) for row in rows} == {(16, 1), (16, 2), (32, 1), (32, 2)}
            assert all(row["forward, images/s"] > 0 and row["inverse, images/s"] > 0 for row in rows)

    @pytest.mark.parametrize("name", ["degrading", "training"])
    def test_plain_and_flowkit_are_there_in_all_arithmetics(self, quick: dict[str, Any], name: str) -> None:
        found = {(row["implementation"], row["arithmetic"]) for row in quick["sections"][name]["rows"]}
        assert found == {("plain", "TF32"), *(("flowkit", kind) for kind in ARITHMETICS)}

    def test_memory_is_by_what_is_stored(self, quick: dict[str, Any]) -> None:
        rows = quick["sections"]["memory"]["rows"]
        assert {row["activations"] for row in rows} == {"plain", "stored", "checkpointed", "reversible"}

    def test_likelihoods_of_half_precision_are_near(self, quick: dict[str, Any]) -> None:
        rows = {(row["an image taken for"], row["arithmetic"]): row for row in quick["sections"]["likelihood"]["rows"]}
        assert len(rows) == 2 * len(ARITHMETICS)
        assert rows["clean", "float32"]["difference"] == 0
        # Log-densities are of float32; the networks', of 8 bits, change them by thousandths of a bit.
        assert 0 < abs(rows["clean", "bfloat16 autocast"]["difference"]) < 0.01

    def test_shares_are_of_the_product_in_bfloat16(self, quick: dict[str, Any]) -> None:
        *_, product = (row for row in quick["sections"]["matrices"]["rows"] if "matrix product" in row["what"])
        shares = [row for row in quick["sections"]["matrices"]["rows"] if "share of the product" in row]
        assert any("conditioning" in row["what"] for row in shares)
        for row in shares:
            assert row["share of the product"] == pytest.approx(row["TFLOP/s"] / product["TFLOP/s"])

    def test_peers_are_one_table(self, quick: dict[str, Any]) -> None:
        text = table.sections(quick)["gpu"]
        assert f"| work | {' | '.join(PEERS)} | fastest peer / flowkit |" in text
        assert text.count("| nsf given 5, log_prob |") == 1


class TestTheRunner:
    def test_a_section_that_fails_is_recorded_and_the_rest_goes_on(self, capfd: pytest.CaptureFixture[str]) -> None:
        saved: list[dict[str, Any]] = []
        # Numbers cannot be compared on a device without any.
        chosen = {name: SECTIONS[name] for name in ("golden", "peers_FrEIA")}
        run_sections(chosen, ["--device", "meta", "--quick"], 60, saved.append)
        golden, freia = saved[-1].values()
        assert golden["error"].startswith("ended with status 1: ")
        assert "Error" in golden["error"]
        assert "Traceback" in capfd.readouterr().err
        assert freia["rows"]

    def test_a_section_has_its_time(self) -> None:
        saved: list[dict[str, Any]] = []
        run_sections({"golden": replace(SECTIONS["golden"], seconds=0.2)}, ON_CPU, 60, saved.append)
        assert saved[-1]["golden"]["error"] == "stopped after 0 seconds, which were all it had"
        assert saved[-1]["golden"]["seconds"] < 5

    def test_all_sections_together_have_theirs(self) -> None:
        saved: list[dict[str, Any]] = []
        run_sections({"golden": SECTIONS["golden"]}, ON_CPU, 3, saved.append)
        assert saved[-1]["golden"]["error"] == "not run: 3 of 3 seconds were left"

    def test_rows_are_saved_as_they_come(self) -> None:
        counts: list[int] = []
        chosen = {"golden": SECTIONS["golden"]}
        run_sections(chosen, ON_CPU, 60, lambda sections: counts.append(len(sections["golden"]["rows"])))
        assert counts == [*range(1, 9), 8]


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_keeps_what_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "gpu", *ON_CPU, "--only", "golden", "training"]
    command += ["--out", str(tmp_path), "--page", str(tmp_path / "none.md")]
    path = tmp_path / "gpu.json"
    # A shell's background jobs ignore the signal, and so would what they start.
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ, preexec_fn=_heed_interrupts
    )
    try:
        while not (path.exists() and records.read(path)["sections"].get("golden", {}).get("rows")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in printed
    assert "latents" in printed
    assert records.read(path)["sections"]["golden"]["rows"]


def test_a_peer_that_is_missing_is_named() -> None:
    (row,) = peers.rows(Setting(torch.device("cpu"), QUICK), "no_such_library")
    assert row == {"library": "no_such_library", "error": "no_such_library is not installed here"}


def test_all_peers_have_a_section() -> None:
    # Pyro is compared at the families alone, which are no works of a GPU's.
    assert (*PEERS, "pyro") == LIBRARIES
    assert {f"peers_{library}" for library in PEERS} <= SECTIONS.keys()


def test_the_bijectors_are_in_the_catalogue() -> None:
    assert set(FULL.entries) | set(QUICK.entries) <= CATALOGUE.keys()


@pytest.mark.parametrize("kind", ARITHMETICS)
def test_arithmetic_is_as_it_was_afterwards(kind: str) -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    x = torch.rand(4, 4)
    with arithmetic(kind, torch.device("cpu")):
        assert (torch.get_float32_matmul_precision() == "highest") == (kind == "float32")
        assert (x @ x).dtype == (torch.bfloat16 if kind == "bfloat16 autocast" else torch.float32)
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before
    assert (x @ x).dtype == torch.float32


def test_timings_are_of_a_call() -> None:
    timing = timed(lambda: time.sleep(0.002), torch.device("cpu"), 0.02)
    # A sleep takes no less than it is told, and here hardly ten times as long.
    assert 0.002 <= timing["seconds"] < 0.02
    assert timing["calls"] >= 1
    assert timing["rounds"] >= 3


def test_cells_tell_failures_and_odd_numbers() -> None:
    record = {
        "command": "c",
        "minutes": 1,
        "machine": "m",
        "threads": 1,
        "versions": {},
        "sections": {
            "golden": {
                "title": "Golden",
                "rows": [{"quantity": "latents", "passed": False, "largest difference": "nan"}],
                "error": "ended with status 1: RuntimeError: no",
            },
            "throughput": {"title": "Throughput", "rows": [{"side": 512, "batch": 16, "error": "out of memory"}]},
        },
    }
    text = table.sections(record)["gpu"]
    assert "| latents | **no** | nan |" in text
    assert "*Golden* ended with status 1: RuntimeError: no." in text
    assert "- side 512, batch 16: out of memory" in text


def test_the_page_shows_the_record_or_that_there_is_none() -> None:
    page = PAGE.read_text(encoding="utf-8")
    path = records.RESULTS / "gpu.json"
    parts = table.sections(records.read(path)) if path.exists() else {"gpu": table.NOT_RECORDED, "conditions": ""}
    assert fill(page, parts) == page
