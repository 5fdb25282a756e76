"""One entry is all that a quantity needs to be in the table, in the JSON and among the pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from flowkit_deflow.evaluation.comparison import Difference, Ratio
from flowkit_deflow.evaluation.evaluation import Evaluation, evaluate
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.json_record import to_json
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.plots import plot_evaluation
from flowkit_deflow.evaluation.quantities import QUANTITIES
from flowkit_deflow.evaluation.quantity import Distance, Measure, Quantity, Row, Share
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.evaluation.unit import GREY_LEVELS

THIRDS = ("top", "middle", "bottom")


@dataclass(frozen=True, eq=False)
class StdByThird(Statistic):
    std: Array

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        thirds = pair.residual.tensor_split(3, dim=1)
        squares = [third.square().sum() for third in thirds]
        return {"squares": torch.stack(squares), "values": torch.tensor([float(third.numel()) for third in thirds])}

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        return cls((sums["squares"] / sums["values"]).sqrt().numpy())


STD_BY_THIRD = Measure(
    key="std_by_third",
    name="std",
    unit=GREY_LEVELS,
    statistic=StdByThird,
    value=lambda thirds: thirds.std,
    comparison=Ratio("std_by_third_ratio"),
    rows=tuple(Row(f" in the {name} third", (index,)) for index, name in enumerate(THIRDS)),
    picture=Curves(
        file="thirds.png",
        heading="Noise level by height",
        title="Noise level by height, {residual}",
        x=np.arange(3.0),
        xlabel="third of the {reference} image",
        ylabel="std [grey levels]",
        xlim=(0, 2),
    ),
)
SLOPE = Measure(
    key="slope",
    name="std, bottom less top",
    unit=GREY_LEVELS,
    statistic=StdByThird,
    value=lambda thirds: float(thirds.std[2] - thirds.std[0]),
    comparison=Difference("slope_difference"),
)
GAP = Distance(
    key="gap",
    name="largest gap",
    unit=GREY_LEVELS,
    statistic=StdByThird,
    value=lambda real, other: float(np.abs(real.std - other.std).max()),
)
GAP_SHARE = Share(key="gap_share", name="gap as a share of white's", distance=GAP)
MADE_UP = (STD_BY_THIRD, SLOPE, GAP, GAP_SHARE)

Judge = Callable[..., Evaluation]


@pytest.fixture
def judge(folder: Path) -> Judge:
    def evaluation(*made_up: Quantity) -> Evaluation:
        return evaluate(folder / "generated", folder / "real", folder / "clean", quantities=(*QUANTITIES, *made_up))

    return evaluation


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    save = Figure.savefig

    def remembering(self: Figure, path: Path, **options: object) -> None:
        figures[self.axes[0].get_title()] = self
        save(self, path, **options)

    monkeypatch.setattr(Figure, "savefig", remembering)
    return figures


def cells(result: Evaluation, label: str) -> list[str]:
    (line,) = [line for line in format_table(result).splitlines() if line.startswith(label)]
    return line[len(label) :].split()


def test_a_quantity_is_in_table_json_and_pictures_by_its_entry_alone(
    judge: Judge, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    result = judge(*MADE_UP)
    std = {name: np.array(result.values[name]["std_by_third"]) for name in ("real", "generated")}
    # Noise of 0.04 and 0.02 everywhere: 8192 values a third and more, an error of 1%.
    np.testing.assert_allclose(std["real"], 0.04, rtol=0.03)
    np.testing.assert_allclose(std["generated"], 0.02, rtol=0.04)

    for index, name in enumerate(THIRDS):
        real, generated, *versus = cells(result, f"std in the {name} third")
        assert (real, generated) == (f"{255 * std['real'][index]:.2f}", f"{255 * std['generated'][index]:.2f}")
        assert versus == ["x", f"{std['generated'][index] / std['real'][index]:.3f}"]

    record = to_json(result)
    assert record["real"]["std_by_third"] == std["real"].tolist()
    assert record["comparison"]["std_by_third_ratio"] == (std["generated"] / std["real"]).tolist()
    assert record["comparison"]["slope_difference"] == record["generated"]["slope"] - record["real"]["slope"]
    gap = float(np.abs(std["generated"] - std["real"]).max())
    assert record["comparison"]["gap"] == gap
    assert cells(result, "largest gap") == ["0", f"{255 * gap:.2f}"]

    paths = plot_evaluation(result, tmp_path / "plots")
    assert (tmp_path / "plots" / "thirds.png") in paths
    (axes,) = drawn["Noise level by height, degraded - clean"].axes
    for line, name in zip(axes.lines, ("real", "generated"), strict=True):
        assert line.get_label() == name
        np.testing.assert_allclose(line.get_ydata(), 255 * std[name])


def test_a_baseline_without_the_statistic_is_left_blank_and_out_of_the_json(judge: Judge) -> None:
    record = to_json(judge(*MADE_UP))
    assert "white_gap" not in record["comparison"]
    assert "gap_share" not in record["comparison"]
    assert record["comparison"].keys() > {"gap", "white_kl", "kl_ratio"}


def test_a_further_set_of_images_is_a_column_an_object_and_a_line(
    judge: Judge, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    result = judge(*MADE_UP)
    floor = ImageSet("floor", "clean halves", result.sets.generated.statistics)
    result = replace(result, sets=replace(result.sets, baselines=(*result.sets.baselines, floor)))
    header, row = (
        next(line for line in format_table(result).splitlines() if start in line)
        for start in ("clean halves", "KL(real || .)")
    )
    assert len(row) == header.index("clean halves") + len("clean halves")
    kl, white = result.values["comparison"]["kl"], result.values["comparison"]["white_kl"]
    cells_of_sets = row.split()[-6:]
    assert cells_of_sets[:3] == ["0", f"{kl:.4f}", f"{white:.4f}"]
    assert cells_of_sets[-1] == f"{kl:.4f}"

    record = to_json(result)
    assert record["floor"]["std"] == record["generated"]["std"]
    assert record["comparison"]["floor_kl"] == kl

    plot_evaluation(result, tmp_path)
    for title in ("Strength of the noise against brightness", "Noise level by height, degraded - clean", "red"):
        labels = [*(line.get_label() for line in drawn[title].axes[0].lines)]
        labels += [text.get_text() for legend in drawn[title].legends for text in legend.get_texts()]
        assert "clean halves" in labels, title


def test_a_share_of_a_distance_that_white_noise_has_none_of_is_not_a_number(judge: Judge) -> None:
    result = judge()
    white = replace(result.sets.real, key="white", name="white Gaussian", measured=False)
    result = replace(result, sets=replace(result.sets, baselines=(white,)))
    assert result.values["comparison"]["white_kl"] == 0
    assert np.isnan(result.values["comparison"]["kl_ratio"])
    assert cells(result, "KL as a share of white's") == ["-", "1.000"]


def test_what_a_set_lacks_is_told_by_name(judge: Judge) -> None:
    with pytest.raises(KeyError, match="white Gaussian images have no StdByThird"):
        judge(*MADE_UP).sets.baselines[0][StdByThird]


def test_no_two_quantities_have_the_same_place(judge: Judge) -> None:
    result = judge()
    places = [place for quantity in result.quantities for place, _ in quantity.recorded(result.sets)]
    assert len(places) == len(set(places))
    files = [quantity.picture.file for quantity in QUANTITIES if quantity.picture]
    assert len(files) == len(set(files))
