import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import Evaluation, evaluate
from flowkit_deflow.evaluation.plots import plot_evaluation
from flowkit_deflow.images.image_files import read_image, write_image
from tests.flowkit_deflow.evaluation.residuals import photograph

NAMES = [
    "std_vs_brightness.png",
    "std_vs_texture.png",
    "autocorrelation.png",
    "spectrum.png",
    "band_amplitude.png",
    "patch_roughness.png",
    "histogram.png",
]


def evaluation_of(folder: Path, generated_std: float) -> Evaluation:
    image = photograph("astronaut")[:, 100:228, 100:228]
    noise = torch.randn(2, *image.shape, generator=torch.Generator().manual_seed(0))
    write_image(folder / "clean" / "a.png", image)
    write_image(folder / "real" / "a.png", image + 0.04 * noise[0])
    write_image(folder / "generated" / "a_s0.png", image + generated_std * noise[1])
    return evaluate(folder / "generated", folder / "real", folder / "clean")


def test_pictures_are_drawn_without_a_global_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    paths = plot_evaluation(evaluation_of(tmp_path, 0.02), tmp_path / "new" / "plots")
    assert [path.name for path in paths] == NAMES
    assert sorted((tmp_path / "new" / "plots").iterdir()) == sorted(paths)
    for path in paths:
        picture = read_image(path)
        assert min(picture.shape[1:]) >= 400
        # Something is drawn: neither blank nor one colour, and in colour.
        assert 0.02 < float((picture < 0.9).any(0).float().mean()) < 0.9
        assert float((picture[0] - picture[2]).abs().max()) > 0.3
    assert "matplotlib.pyplot" not in sys.modules


def test_the_curves_are_the_numbers_in_grey_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Figure] = {}
    save = Figure.savefig

    def remembering(self: Figure, path: Path, **options: object) -> None:
        drawn[NAMES[len(drawn)]] = self
        save(self, path, **options)

    monkeypatch.setattr(Figure, "savefig", remembering)
    result = evaluation_of(tmp_path, 0.02)
    plot_evaluation(result, tmp_path)

    real, generated, white, *_ = drawn["std_vs_brightness.png"].axes[0].lines
    for line, values in ((real, result.values["real"]), (generated, result.values["generated"])):
        enough = values["brightness_pixels"] >= 100
        np.testing.assert_allclose(line.get_ydata(), 255 * values["brightness_std"][enough])
    np.testing.assert_allclose(white.get_ydata(), 255 * result.values["real"]["overall_std"])

    left, right, along = drawn["autocorrelation.png"].axes[:3]
    for axes, values in ((left, result.values["real"]), (right, result.values["generated"])):
        np.testing.assert_allclose(axes.images[0].get_array()[1:], values["autocorrelation"][1:])
    assert left.images[0].get_clim() == right.images[0].get_clim()
    np.testing.assert_allclose(along.lines[0].get_ydata(), result.values["real"]["autocorrelation"][0])
    np.testing.assert_allclose(along.lines[3].get_ydata(), result.values["generated"]["autocorrelation"][:, 0])

    spectrum = drawn["spectrum.png"].axes[0]
    np.testing.assert_allclose(spectrum.lines[1].get_ydata(), 255**2 * result.values["generated"]["spectrum"])
    assert spectrum.get_yscale() == "log"

    for axes in (drawn["histogram.png"].axes[0], spectrum):
        assert axes.get_yscale() == "log"
    for figure in drawn.values():
        for axes in figure.axes[:3]:
            assert axes.get_title()
            assert "[" in axes.get_xlabel() or "pixels" in axes.get_xlabel()
        legends = figure.legends + [axes.get_legend() for axes in figure.axes if axes.get_legend()]
        assert len(legends) == 1


@pytest.mark.filterwarnings("error")
def test_noise_too_small_or_absent_to_draw_still_gives_pictures(tmp_path: Path) -> None:
    write_image(tmp_path / "flat" / "a.png", torch.full((3, 4, 6), 0.2))
    write_image(tmp_path / "bright" / "b.png", torch.full((3, 24, 24), 0.8))
    paths = plot_evaluation(evaluate(tmp_path / "flat", tmp_path / "bright"), tmp_path / "plots")
    assert all(path.is_file() for path in paths)


def test_a_folder_that_cannot_be_made_is_told_to_the_user(tmp_path: Path) -> None:
    result = evaluation_of(tmp_path, 0.02)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="taken"):
        plot_evaluation(result, tmp_path / "taken")
