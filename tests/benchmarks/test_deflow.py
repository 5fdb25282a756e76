"""The plain evaluation is the same function; operations and stored bytes do not grow unseen."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from benchmarks import record as records
from benchmarks.__main__ import main
from benchmarks.deflow import plain, table
from benchmarks.deflow.costs import Costs, costs
from benchmarks.deflow.networks import images, network
from benchmarks.deflow.precision import bits_by_precision
from benchmarks.deflow.works import degrade, plain_degrade
from benchmarks.growth import table as growth_table
from benchmarks.page import fill
from flowkit_deflow import DeFlow, preset

RECORD = records.RESULTS / "deflow.json"
DOCS = Path(__file__).parents[2] / "docs"


@cache
def counted() -> Costs:
    return costs()


@cache
def small() -> DeFlow:
    return network(
        replace(preset("aim").architecture, steps=2, hidden_channels=16, encoder_blocks=3, stack_blocks=(0, 2))
    )


class TestThePlainEvaluation:
    @pytest.mark.parametrize("grad", [True, False])
    def test_it_is_the_same_function(self, grad: bool) -> None:
        model, x, h = small().eval(), images(2, 32, 48), torch.rand(2, 3, 4, 6)
        with torch.set_grad_enabled(grad):
            z, log_det = model.bijector(x, h)
            z_plain, log_det_plain = plain.encode(model, x, h)
            for one, other in zip(z, z_plain, strict=True):
                torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(log_det, log_det_plain, atol=1e-2, rtol=1e-5)
            torch.testing.assert_close(plain.decode(model, z, h)[0], x, atol=1e-4, rtol=0)

    def test_it_degrades_alike(self) -> None:
        model, image = small().eval(), images(1, 30, 44)
        expected = degrade(model, image, 2)
        for encode_once in (False, True):
            torch.testing.assert_close(plain_degrade(model, image, 2, encode_once), expected, atol=1e-4, rtol=0)

    def test_its_operations_are_those_of_the_published_network(self) -> None:
        found = [counted().plain_encoder, counted().plain_encode, counted().plain_decode]
        assert found == pytest.approx([17.7, 227, 227], rel=2e-3)


class TestFlowkit:
    @pytest.mark.parametrize(
        ("name", "most"),
        [("encoder", 13.85), ("bind", 91.87), ("encode", 13.14), ("decode", 12.91)],
    )
    def test_operations_do_not_grow(self, name: str, most: float) -> None:
        assert getattr(counted(), name) < 1.02 * most

    def test_what_training_keeps_does_not_grow(self) -> None:
        assert counted().saved < 1.02 * 0.576


def test_half_precision_changes_log_likelihoods_little() -> None:
    found = bits_by_precision(small().eval(), 64)
    assert found["float32"] != found["bfloat16"]
    assert found["bfloat16"] == pytest.approx(found["float32"], abs=0.01)


class TestTheRecord:
    def test_it_holds_what_is_counted(self) -> None:
        kept = records.read(RECORD)["costs"]
        for name in ("encoder", "bind", "encode", "decode", "plain_encode"):
            assert getattr(counted(), name) == pytest.approx(kept[name], rel=1e-2), name

    @pytest.mark.parametrize(("name", "module"), [("deflow", table), ("growth", growth_table)])
    def test_the_page_shows_it(self, name: str, module: object) -> None:
        page = (DOCS / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
        record = records.read(records.RESULTS / f"{name}.json")
        assert fill(page, module.sections(record)) == page  # type: ignore[attr-defined]

    def test_tables_are_made_of_a_record_alone(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        page = tmp_path / "deflow.md"
        page.write_text((DOCS / "benchmarks/deflow.md").read_text(encoding="utf-8"), encoding="utf-8")
        (tmp_path / "deflow.json").write_bytes(RECORD.read_bytes())
        assert main(["deflow", "--tables-only", "--out", str(tmp_path), "--page", str(page)]) == 0
        assert "times faster than plain" in capsys.readouterr().out
