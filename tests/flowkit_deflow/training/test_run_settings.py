"""What ties a run that has begun, whatever it trains."""

from pathlib import Path

import pytest
import torch

from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.settings.adversarial import PdmRun
from flowkit_deflow.settings.degraders import MixtureParts, MixtureRun
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import override
from flowkit_deflow.training.checkpoint_io import last_checkpoint
from flowkit_deflow.training.fingerprints import Fingerprint, fingerprint_of
from flowkit_deflow.training.resuming import Begun, require_same_data
from flowkit_deflow.training.run_settings import keep_settings, require_resumable


def mark_as_begun(out: Path) -> None:
    last_checkpoint(out).parent.mkdir()
    last_checkpoint(out).touch()


class TestSorts:
    def begun(self, tmp_path: Path) -> tuple[PdmRun, Path]:
        for name in ("clean", "degraded"):
            write_image(tmp_path / name / "a.png", torch.rand(3, 8, 8))
        run = override(PdmRun(), [f"data.clean={tmp_path / 'clean'}", f"data.degraded={tmp_path / 'degraded'}"])
        keep_settings(run, tmp_path / "run" / "degrader.yaml")
        mark_as_begun(tmp_path / "run")
        return run, tmp_path / "run" / "degrader.yaml"

    @pytest.mark.parametrize(
        "change", ["workers=0", "checkpoint_every=7", "log_every=1", "accelerator=cpu", "strict=true"]
    )
    def test_settings_of_speed_may_change(self, change: str, tmp_path: Path) -> None:
        run, recorded = self.begun(tmp_path)
        require_resumable(override(run, [change]), recorded)

    @pytest.mark.parametrize("change", ["seed=1", "batch=2", "crop=32", "learning_rate=1", "steps=1", "kernel_side=3"])
    def test_settings_of_the_result_stay(self, change: str, tmp_path: Path) -> None:
        run, recorded = self.begun(tmp_path)
        with pytest.raises(
            UserError, match=rf"{change.split('=')[0]} was .*; to go on with it, leave them as they were"
        ):
            require_resumable(override(run, [change]), recorded)

    def test_places_may_move_with_what_is_there(self, tmp_path: Path) -> None:
        run, recorded = self.begun(tmp_path)
        moved = (tmp_path / "clean").rename(tmp_path / "elsewhere")
        require_resumable(override(run, [f"data.clean={moved}"]), recorded)
        write_image(moved / "b.png", torch.rand(3, 8, 8))
        with pytest.raises(UserError, match=r"'data.clean': these files are not those .*\(1 then, 2 now\)"):
            require_resumable(override(run, [f"data.clean={moved}"]), recorded)

    def test_what_is_trained_on_is_not_left_out_later(self, tmp_path: Path) -> None:
        run, recorded = self.begun(tmp_path)
        with pytest.raises(UserError, match=r"data\.clean was .*, now None"):
            require_resumable(override(run, ["data.clean=null"]), recorded)

    def test_a_run_that_never_began_ties_nothing(self, tmp_path: Path) -> None:
        run, recorded = self.begun(tmp_path)
        last_checkpoint(recorded.parent).unlink()
        require_resumable(override(run, ["seed=1"]), recorded)

    def test_a_damaged_record_of_the_sources_is_named(self, tmp_path: Path) -> None:
        run, recorded = self.begun(tmp_path)
        (recorded.parent / "sources.json").write_text("[1]")
        with pytest.raises(UserError, match=r"sources\.json: cannot be read .*; remove it"):
            require_resumable(run, recorded)


def test_all_parts_of_a_mixture_are_looked_at(tmp_path: Path) -> None:
    for number in range(3):
        WhiteNoise(0.1 * number).save_pretrained(tmp_path / str(number))
    parts = [str(tmp_path / str(number)) for number in range(3)]
    recorded = tmp_path / "run" / "degrader.yaml"
    keep_settings(MixtureRun(mixture=MixtureParts(tuple(parts))), recorded)
    mark_as_begun(recorded.parent)
    for others in (parts[:2], parts[::-1]):
        with pytest.raises(UserError, match=r"'mixture.folders': these files are not those"):
            require_resumable(MixtureRun(mixture=MixtureParts(tuple(others))), recorded)


def test_kernels_cannot_come_in_later() -> None:
    known = {"data.clean": Fingerprint(3, "a")}
    before = Begun(Path("run"), Run(), 5, known)
    require_same_data(before, known)
    with pytest.raises(UserError, match=r"'data.kernels': these files are not those .*\(none then, 2 now\)"):
        require_same_data(before, {**known, "data.kernels": Fingerprint(2, "b")})
    # Nothing is known of a run of an earlier version.
    require_same_data(before._replace(sources={}), known)


def test_a_run_counts_as_its_model(tmp_path: Path) -> None:
    WhiteNoise(0.1).save_pretrained(tmp_path / "run" / "model")
    (tmp_path / "run" / "degrader.yaml").touch()
    assert fingerprint_of(tmp_path / "run") == fingerprint_of(tmp_path / "run" / "model")
