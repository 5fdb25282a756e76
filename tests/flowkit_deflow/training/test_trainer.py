import math
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from flowkit import ActNorm
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.brightness import BrightnessShift
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import to_yaml
from flowkit_deflow.state_files import pickled, write_state
from flowkit_deflow.training.checkpoint_io import last_checkpoint, model_of_run, steps_of
from flowkit_deflow.training.data import Batch
from flowkit_deflow.training.inputs import network_inputs
from flowkit_deflow.training.lightning_module import INITIALIZATION_BATCHES, DeFlowTraining
from flowkit_deflow.training.model_choice import ModelChoice
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.conftest import Ended, Evil, Photos
from tests.flowkit_deflow.training.killed_run import KillPoint, run_until_killed
from tests.flowkit_deflow.training.stopping import SignalAt

Settings = Callable[..., Run]

# Lightning's own deprecations, and its advice on data-loader workers and checkpoints in the middle of an epoch.
pytestmark = [
    pytest.mark.filterwarnings("ignore:::pytorch_lightning"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec"),
    pytest.mark.filterwarnings("ignore:Detected pickle protocol 4"),
]
State = dict[str, Tensor]


def weights_of(out: Path) -> bytes:
    return (out / "model" / "model.safetensors").read_bytes()


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[key]) for key, value in first.items())


def copy_of(state: dict[str, Any]) -> State:
    return {key: value.detach().clone() for key, value in state.items() if isinstance(value, Tensor)}


class Recorder(Callback):
    """Weights, Adam's state and learning rates before each step, and after the last."""

    def __init__(self) -> None:
        self.weights: list[State] = []
        self.moments: list[State] = []
        self.rates: list[list[float]] = []

    def _record(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.weights.append(copy_of(dict(module.named_parameters())))
        state = trainer.optimizers[0].state_dict()["state"]
        self.moments.append({f"{i} {k}": v.clone() for i, values in state.items() for k, v in values.items()})

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._record(trainer, pl_module)
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._record(trainer, pl_module)


class Spoil(Callback):
    """At some steps, put a value into a pixel, or into one parameter's gradient."""

    def __init__(self, steps: set[int], value: float, where: str) -> None:
        self.steps = steps
        self.value = value
        self.where = where

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self.where == "image" and trainer.global_step in self.steps:
            batch["images"][1, 2, 3, 4] = self.value

    def on_after_backward(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.where == "gradient" and trainer.global_step in self.steps:
            gradient = next(p.grad for p in pl_module.parameters() if p.grad is not None)
            gradient.flatten()[0] = self.value


class TestResults:
    def test_the_runs_folder(self, trained: Path, tiny: Settings) -> None:
        written = {"run.yaml", "checkpoints", "log", "model", "monitors.csv", "chosen_step.yaml"}
        assert {path.name for path in trained.iterdir()} == written
        assert {path.name for path in (trained / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
        assert (trained / "run.yaml").read_text() == to_yaml(tiny())
        model = DeFlow.from_pretrained(trained / "model")
        assert all(value.isfinite().all() for value in model.state_dict().values())

    def test_training_changes_every_parameter(self, tiny: Settings, tmp_path: Path) -> None:
        recorder = Recorder()
        model, _ = train(tiny("training.workers=0"), tmp_path, progress=False, callbacks=[recorder])
        first, last = recorder.weights[0], recorder.weights[-1]
        unchanged = {key.removeprefix("model.") for key in first if torch.equal(first[key], last[key])}
        # The end of the published encoder, which makes an image of the features, has no part in the flow.
        assert unchanged == {key for key, value in model.named_parameters() if not value.requires_grad}
        assert {key.split(".")[-2] for key in unchanged} == {"upconv2", "HRconv", "conv_last"}

    def test_it_learns(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("training.steps=40", "training.learning_rate=0.01", "training.workers=0", "training.batch=8")
        train(run, tmp_path, progress=False)
        losses = [event.value for event in scalars(tmp_path, "loss")]
        # Bits per dimension; the losses' own scatter is about 0.1. Seen: from 7.4 to 6.4.
        assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 - 0.5

    def test_what_was_trained_is_what_was_saved(self, tiny: Settings, tmp_path: Path) -> None:
        model, problems = train(tiny("training.workers=0"), tmp_path, progress=False)
        assert problems == []
        assert not model.training
        assert same(model.state_dict(), load_file(tmp_path / "model" / "model.safetensors"))

    def test_the_last_checkpoint_holds_the_final_weights(self, trained: Path) -> None:
        checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
        state = {key.removeprefix("model."): value for key, value in checkpoint["state_dict"].items()}
        assert checkpoint["global_step"] == 8
        assert same(state, load_file(trained / "model" / "model.safetensors"))


def scalars(out: Path, tag: str) -> list[Any]:
    log = EventAccumulator(str(out / "log"))
    log.Reload()
    return log.Scalars(tag)


class TestLog:
    def test_scalars_of_every_step_and_sample_images(self, trained: Path) -> None:
        log = EventAccumulator(str(trained / "log"))
        log.Reload()
        for tag in ("bits_clean", "bits_degraded", "learning_rate", "loss", "skipped_steps"):
            events = log.Scalars(tag)
            assert [event.step for event in events] == list(range(8)), tag
            assert all(math.isfinite(event.value) for event in events)
        for event in zip(log.Scalars("loss"), log.Scalars("bits_clean"), log.Scalars("bits_degraded"), strict=True):
            loss, clean, degraded = (part.value for part in event)
            # Half of the crops are of either domain; values are logged in float32.
            assert loss == pytest.approx((clean + degraded) / 2, rel=1e-5)
        assert [event.value for event in log.Scalars("learning_rate")][:5] == pytest.approx([1e-3] * 4 + [5e-4])
        (tag,) = log.Tags()["images"]
        images = log.Images(tag)
        assert [image.step for image in images] == [4, 8]
        # Two crops of 16 pixels beside each other, in three rows.
        assert (images[0].width, images[0].height) == (32, 48)

    def test_untrained_bits_are_those_of_the_data(self, trained: Path) -> None:
        # With 256 levels, an 8-bit image takes 8 bits as it is; a whitened start does not do much worse.
        assert 3 < scalars(trained, "loss")[0].value < 10


# Each list is one run: killed at the first point, started again, killed at the second, ..., then left to finish.
KILLS = {
    "before anything": [
        KillPoint("open .run."),
        KillPoint("rename run.yaml"),
        KillPoint("on_fit_start"),
        KillPoint("on_train_start"),
    ],
    "in a step": [
        KillPoint("on_train_batch_start", 1),
        KillPoint("on_after_backward", 2),
        KillPoint("on_before_optimizer_step", 3),
        KillPoint("on_before_zero_grad", 1),
        KillPoint("on_train_batch_end", 1),
    ],
    "while saving": [
        KillPoint("on_save_checkpoint"),
        KillPoint("open .last.", 0),
        KillPoint("rename last.ckpt", 1),
        KillPoint("rename last.ckpt", 1),
    ],
    "at the end": [
        KillPoint("on_train_end"),
        KillPoint("open .model."),
        KillPoint("rename model"),
    ],
}


COSINE = ("training.schedule=cosine", "training.warmup=2")


class TestKilled:
    @pytest.mark.parametrize("workers", [1, 2])
    @pytest.mark.parametrize("name", KILLS)
    def test_the_weights_are_those_of_a_run_that_was_let_alone(
        self, tiny: Settings, trained: Path, tmp_path: Path, name: str, workers: int
    ) -> None:
        run = tiny(f"training.workers={workers}")
        for point in KILLS[name]:
            assert run_until_killed(run, tmp_path / "run", point) == -signal.SIGKILL, point
            assert not (tmp_path / "run" / "model").exists()
        assert run_until_killed(run, tmp_path / "run", None) == 0
        assert weights_of(tmp_path / "run") == weights_of(trained)

    def test_measured_statistics_are_the_same_after_a_kill(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("data.normalize=true", "architecture.shift=none")
        for point in (KillPoint("rename run.yaml"), KillPoint("on_train_batch_start", 3)):
            assert run_until_killed(run, tmp_path / "killed", point) == -signal.SIGKILL
        assert run_until_killed(run, tmp_path / "killed", None) == 0
        assert run_until_killed(run, tmp_path / "whole", None) == 0
        assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")
        for file in ("run.yaml", "model/config.json"):
            assert (tmp_path / "killed" / file).read_text() == (tmp_path / "whole" / file).read_text()

    def test_averages_monitors_and_the_selection_are_the_same_after_kills(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("training.ema=0.8", "training.monitor_every=3", "training.select=code_length", *COSINE)
        for point in (
            KillPoint("on_after_backward", 5),
            KillPoint("open .best."),
            KillPoint("rename best.ckpt", 1),
            KillPoint("open .monitors."),
            KillPoint("open .model."),
        ):
            assert run_until_killed(run, tmp_path / "killed", point) == -signal.SIGKILL, point
        assert run_until_killed(run, tmp_path / "killed", None) == 0
        assert run_until_killed(run, tmp_path / "whole", None) == 0
        assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")
        assert (tmp_path / "killed" / "monitors.csv").read_text() == (tmp_path / "whole" / "monitors.csv").read_text()

    def test_the_command_killed_from_outside(self, tiny: Settings, environment: dict[str, str], tmp_path: Path) -> None:
        run = tiny("training.steps=60", "training.checkpoint_every=3", "training.image_every=0")
        (tmp_path / "run.yaml").write_text(to_yaml(run))
        train(run, tmp_path / "whole", progress=False)
        out, last = tmp_path / "killed", tmp_path / "killed" / "checkpoints" / "last.ckpt"
        command = [sys.executable, "-m", "flowkit_deflow", "train", "--config", "run.yaml", "--out", "killed"]
        moment = random.Random(0)
        kills = 0
        # The second start goes on from the first one's checkpoint, and is killed after one of its own.
        for _ in range(2):
            before = last.stat().st_mtime_ns if last.exists() else None
            with (tmp_path / "output.txt").open("w") as output:
                process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)
            while process.poll() is None and (not last.exists() or last.stat().st_mtime_ns == before):
                time.sleep(0.005)
            time.sleep(moment.uniform(0, 0.3))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
        assert kills
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert weights_of(out) == weights_of(tmp_path / "whole")


class TestStartedAgain:
    def test_a_finished_run_returns_at_once_with_the_same_model(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("training.workers=0")
        first, _ = train(run, tmp_path, progress=False)
        weights = weights_of(tmp_path)
        recorder = Recorder()
        again, _ = train(run, tmp_path, progress=False, callbacks=[recorder])
        assert len(recorder.rates) == 0
        assert weights_of(tmp_path) == weights
        assert same(first.state_dict(), again.state_dict())

    def test_a_last_step_without_a_checkpoint_is_made_again(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("training.workers=0", "training.steps=7")
        train(run, tmp_path, progress=False)
        weights = weights_of(tmp_path)
        train(run, tmp_path, progress=False)
        assert weights_of(tmp_path) == weights


class TestNonFinite:
    @pytest.mark.parametrize("where", ["image", "gradient"])
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_it_never_reaches_weights_or_moments(
        self, tiny: Settings, tmp_path: Path, where: str, value: float
    ) -> None:
        recorder = Recorder()
        bad = {0, 3, 4, 6}
        model, _ = train(
            tiny("training.workers=0"), tmp_path, progress=False, callbacks=[Spoil(bad, value, where), recorder]
        )
        for step in range(8):
            same_weights = same(recorder.weights[step], recorder.weights[step + 1])
            same_moments = same(recorder.moments[step], recorder.moments[step + 1])
            assert (same_weights, same_moments) == (step in bad, step in bad), step
        assert [event.value for event in scalars(tmp_path, "skipped_steps")] == [1, 1, 1, 2, 3, 3, 4, 4]
        assert all(value.isfinite().all() for value in model.state_dict().values())

    @pytest.mark.parametrize("clip", [0, 1])
    def test_too_many_in_a_row_stop_the_run_at_its_last_good_checkpoint(
        self, tiny: Settings, tmp_path: Path, clip: int
    ) -> None:
        run = tiny("training.workers=0", "training.max_skipped=3", f"training.clip_norm={clip}")
        recorder = Recorder()
        spoil = Spoil({2, 3, 5, 6, 7}, math.nan, "image")
        with pytest.raises(UserError, match=r"3 steps in a row .* at step 8; given again, .* from step 2, whose"):
            train(run, tmp_path, progress=False, callbacks=[spoil, recorder])
        assert not (tmp_path / "model").exists()
        assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
        checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
        assert all(torch.equal(checkpoint["state_dict"][key], value) for key, value in recorder.weights[2].items())
        assert checkpoint["deflow"]["skipped"] == 0

    def test_a_stopped_run_goes_on(self, tiny: Settings, trained: Path, tmp_path: Path) -> None:
        run = tiny("training.workers=0", "training.max_skipped=2")
        with pytest.raises(UserError, match="at step 5"):
            train(run, tmp_path, progress=False, callbacks=[Spoil({3, 4}, math.inf, "gradient")])
        recorder = Recorder()
        train(run, tmp_path, progress=False, callbacks=[recorder])
        assert len(recorder.rates) == 6
        assert weights_of(tmp_path) == weights_of(trained)

    def test_a_checkpoint_amid_skipped_steps_keeps_the_run_of_them(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny("training.workers=0", "training.max_skipped=4")
        with pytest.raises(SystemExit):
            train(run, tmp_path, progress=False, callbacks=[Spoil({2, 3, 4}, math.nan, "image"), SignalAt(5, SIGTERM)])
        stopped = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
        assert (stopped["deflow"]["in_a_row"], stopped["deflow"]["skipped"]) == (3, 3)
        with pytest.raises(UserError, match=r"4 steps in a row .* at step 6; .* from step 2"):
            train(run, tmp_path, progress=False, callbacks=[Spoil({5}, math.nan, "image")])


class TestSchedule:
    def rates(self, run: Run, out: Path) -> Recorder:
        recorder = Recorder()
        train(run, out, progress=False, callbacks=[recorder])
        return recorder

    def test_halvings(self, tiny: Settings, tmp_path: Path) -> None:
        recorder = self.rates(tiny("training.workers=0", "training.halve_at=[0.25,0.5,0.9]"), tmp_path)
        expected = [1.0, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
        for step, rates in enumerate(recorder.rates):
            assert rates == pytest.approx([1e-3 * expected[step]] * 3)

    def test_a_cosine(self, tiny: Settings, tmp_path: Path) -> None:
        recorder = self.rates(tiny("training.workers=0", "training.schedule=cosine", "training.warmup=2"), tmp_path)
        expected = [1e-3 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
        expected[0] /= 2
        assert [rates[0] for rates in recorder.rates] == pytest.approx(expected)

    def test_warmup(self, tiny: Settings, tmp_path: Path) -> None:
        recorder = self.rates(tiny("training.workers=0", "training.warmup=4", "training.halve_at=[0.75]"), tmp_path)
        assert [rates[0] for rates in recorder.rates] == pytest.approx(
            [0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3, 1e-3, 0.5e-3, 0.5e-3]
        )

    def test_the_encoder_may_start_later(self, tiny: Settings, tmp_path: Path) -> None:
        recorder = self.rates(tiny("training.workers=0", "training.encoder_delay=0.5"), tmp_path)
        names = recorder.weights[0].keys()
        encoder = {name for name in names if "function." in name}
        assert encoder
        assert encoder != names
        for step in range(8):
            before, after = recorder.weights[step], recorder.weights[step + 1]
            assert same({n: before[n] for n in encoder}, {n: after[n] for n in encoder}) == (step < 4)
            assert not same({n: before[n] for n in names - encoder}, {n: after[n] for n in names - encoder})

    def test_the_latent_shift_has_a_rate_of_its_own(self, tiny: Settings, tmp_path: Path) -> None:
        recorder = self.rates(tiny("training.workers=0", "training.shift_rate_factor=5"), tmp_path)
        assert recorder.rates[0] == pytest.approx([1e-3, 1e-3, 5e-3])
        first, second = recorder.weights[:2]
        means = [name for name in first if name.endswith("mean")]
        assert means
        for name in means:
            # Adam's first step has the learning rate's length, whatever the gradient (its epsilon is 1e-8).
            torch.testing.assert_close((second[name] - first[name]).abs().max(), torch.tensor(5e-3), rtol=1e-3, atol=0)

    def test_gradients_are_clipped_to_a_norm(self, tiny: Settings, tmp_path: Path) -> None:
        class Norms(Callback):
            norms: list[float] = []  # noqa: RUF012

            def on_before_zero_grad(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
                gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
                if gradients:
                    self.norms.append(float(torch.nn.utils.get_total_norm(gradients)))

        norms = Norms()
        train(tiny("training.workers=0", "training.clip_norm=0.01"), tmp_path, progress=False, callbacks=[norms])
        # float32: the norm of some thousand numbers.
        assert norms.norms
        assert max(norms.norms) <= 0.01 * (1 + 1e-4)


class TestMemory:
    """How much is in memory at a time does not change what is learnt."""

    def moments(self, run: Run, out: Path) -> list[State]:
        recorder = Recorder()
        train(run, out, progress=False, callbacks=[recorder])
        return recorder.moments

    @pytest.mark.parametrize(
        "choice",
        [
            "training.crops_at_once=1",
            "training.crops_at_once=3",
            "training.activations=checkpointed",
            "training.activations=reversible",
        ],
    )
    def test_the_first_gradients_are_the_same(self, choice: str, tiny: Settings, tmp_path: Path) -> None:
        whole = ["training.workers=0", "training.crops_at_once=1000", "training.steps=1"]
        expected = self.moments(tiny(*whole), tmp_path / "whole")[-1]
        got = self.moments(tiny(*whole, choice), tmp_path / "choice")[-1]
        # Adam's moments after one step are the gradients and their squares, in float32, summed in another order.
        assert expected.keys() == got.keys()
        for name, moment in expected.items():
            scale = float(moment.abs().max())
            torch.testing.assert_close(got[name], moment, atol=1e-4 * scale + 1e-12, rtol=1e-3)

    def test_the_usual_number_of_crops_on_a_cpu(self, tiny: Settings) -> None:
        run = tiny()
        module = DeFlowTraining(DeFlow(run.architecture), run)
        assert module._crops_at_once(torch.empty(16, 3, 160, 160)) == 8
        assert module._crops_at_once(torch.empty(8, 3, 64, 64)) == 50
        assert module._crops_at_once(torch.empty(8, 3, 512, 512)) == 1
        assert module._crops_at_once(torch.empty(8, 3, 160, 160, device="meta")) == 8


class TestInitialization:
    def test_actnorms_start_from_both_domains(self, tiny: Settings, tmp_path: Path) -> None:
        generator = torch.Generator().manual_seed(0)
        for domain, level in (("dark", 0.2), ("bright", 0.7)):
            for number in range(2):
                image = level + 0.1 * torch.rand(3, 32, 32, generator=generator)
                write_image(tmp_path / domain / f"{number}.png", image)

        class AtStart(Callback):
            def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
                batches = list(pl_module._whole_batches(INITIALIZATION_BATCHES))
                pairs = [encoded(pl_module, batch) for batch in batches]
                self.domain = torch.cat([batch["domain"] for batch in batches])
                self.latents = [torch.cat(level) for level in zip(*pairs, strict=True)]
                self.initialized = [m.initialized for m in pl_module.modules() if isinstance(m, ActNorm)]

        def encoded(module: DeFlowTraining, batch: Batch) -> tuple[Tensor, ...]:
            images, h = network_inputs(module.model, batch)
            with torch.no_grad():
                return module.model.bijector(images, h)[0]

        start = AtStart()
        run = tiny(f"data.clean={tmp_path / 'dark'}", f"data.degraded={tmp_path / 'bright'}", "training.steps=1")
        train(run, tmp_path / "run", progress=False, callbacks=[start])
        assert start.initialized
        assert all(bool(flag) for flag in start.initialized)
        gaps = []
        for level in start.latents:
            means = [level[start.domain == domain].mean((0, 2, 3)) for domain in Domain]
            # The networks start at zero, so the last 1x1 convolution mixes channels of mean zero, in float32.
            torch.testing.assert_close((means[0] + means[1]) / 2, torch.zeros(len(means[0])), atol=1e-4, rtol=0)
            gaps.append((means[1] - means[0]).abs().max())
        # With actnorms of one domain alone, its own mean would be 0; here the domains lie on either side.
        assert max(gaps) > 0.5


class TestAverage:
    def test_the_model_that_is_written_is_the_averaged_one_and_checkpoints_hold_both(
        self, tiny: Settings, tmp_path: Path
    ) -> None:
        recorder = Recorder()
        model, _ = train(tiny("training.ema=0.5", "training.workers=0"), tmp_path, progress=False, callbacks=[recorder])
        last = tmp_path / "checkpoints" / "last.ckpt"
        state = torch.load(last, weights_only=True)["state_dict"]
        written = load_file(tmp_path / "model" / "model.safetensors")
        for key, value in model.named_parameters():
            weights = [step[f"model.{key}"].double() for step in recorder.weights[1:]]
            mean = weights[0]
            for number, weight in enumerate(weights[1:], start=1):
                mean = torch.lerp(weight, mean, min(0.5, (1 + number) / (10 + number)))
            # Eight sums of float32 numbers.
            torch.testing.assert_close(value.double(), mean, atol=1e-6, rtol=1e-5)
            assert torch.equal(written[key], state[f"average.module.{key}"])
            assert torch.equal(state[f"model.{key}"], recorder.weights[-1][f"model.{key}"])
        assert all(value.requires_grad for value in model.latents.parameters())
        assert same(model_of_run(last).state_dict(), written)

    def test_training_itself_does_not_change(self, tiny: Settings, trained: Path, tmp_path: Path) -> None:
        train(tiny("training.ema=0.9"), tmp_path, progress=False)
        state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        alone = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        assert all(torch.equal(state[key], value) for key, value in alone.items())


class TestMonitors:
    def test_the_log_and_the_file_have_the_same_scalars_of_the_same_steps(self, tiny: Settings, tmp_path: Path) -> None:
        train(tiny("training.monitor_every=3", "training.workers=0"), tmp_path, progress=False)
        history = History.read(tmp_path / "monitors.csv")
        assert [row.step for row in history.rows] == [3, 6, 8]
        assert {"bits_clean", "evidence_degraded", "saturation", "shift_mean_eigenvalue"} <= set(history.names)
        for name in ("bits_clean", "evidence_degraded"):
            logged = scalars(tmp_path, f"held_out/{name}")
            assert [event.step for event in logged] == [3, 6, 8]
            # Values are logged in float32.
            assert [event.value for event in logged] == pytest.approx(
                [value for _, value in history.series(name)], rel=1e-5
            )
        # Of the finished model alone.
        assert [step for step, _ in history.series("roughness_generated")] == [8]

    def test_they_do_not_change_the_training(self, tiny: Settings, trained: Path, tmp_path: Path) -> None:
        train(tiny("training.monitor_every=1"), tmp_path, progress=False)
        assert weights_of(tmp_path) == weights_of(trained)

    def test_without_held_out_images_there_are_none(self, tiny: Settings, tmp_path: Path) -> None:
        train(tiny("data.held_out=0", "training.workers=0"), tmp_path, progress=False)
        assert not (tmp_path / "monitors.csv").exists()

    # At such a rate the model goes astray after some steps.
    ASTRAY = ("training.monitor_every=1", "training.learning_rate=0.05", "training.workers=0")

    def test_the_model_is_from_the_step_that_is_best_by_the_figure(self, tiny: Settings, tmp_path: Path) -> None:
        train(tiny(*self.ASTRAY), tmp_path, progress=False)
        history = History.read(tmp_path / "monitors.csv")
        figures = {row.step: row.scalars["bits_clean"] + row.scalars["bits_degraded"] for row in history.rows}
        best = tmp_path / "checkpoints" / "best.ckpt"
        assert steps_of(best) == min(figures, key=lambda step: figures[step]) < 8
        assert same(model_of_run(best).state_dict(), load_file(tmp_path / "model" / "model.safetensors"))
        assert steps_of(last_checkpoint(tmp_path)) == 8
        choice = ModelChoice.read(tmp_path)
        assert choice is not None
        assert choice.step == steps_of(best)

    def test_the_last_step_on_request(self, tiny: Settings, tmp_path: Path) -> None:
        train(tiny(*self.ASTRAY, "training.select=last"), tmp_path, progress=False)
        assert not (tmp_path / "checkpoints" / "best.ckpt").exists()
        last = model_of_run(last_checkpoint(tmp_path))
        assert same(last.state_dict(), load_file(tmp_path / "model" / "model.safetensors"))


class TestVariants:
    def test_without_a_shift_in_training_it_is_measured_afterwards(self, tiny: Settings, tmp_path: Path) -> None:
        model, _ = train(tiny("architecture.shift=none", "training.workers=0"), tmp_path, progress=False)
        saved = DeFlow.from_pretrained(tmp_path / "model")
        for mine, theirs in zip(model.latents.shifts, saved.latents.shifts, strict=True):
            assert isinstance(theirs, InferredShift)
            assert theirs.mean.norm() > 0
            assert theirs.factor.norm() > 0
            assert torch.equal(mine.factor, theirs.factor)
        images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        assert not torch.allclose(saved.degrade(images, 1.0), saved.degrade(images, 0.0), atol=1e-3)

    def test_a_binned_shift_is_trained_as_the_correlated_one_and_then_measured(
        self, tiny: Settings, trained: Path, tmp_path: Path
    ) -> None:
        train(tiny("architecture.shift=binned", "architecture.shift_classes=[2,2]"), tmp_path, progress=False)
        assert [e.value for e in scalars(tmp_path, "loss")] == [e.value for e in scalars(trained, "loss")]
        saved, correlated = (DeFlow.from_pretrained(run / "model").latents.shifts for run in (tmp_path, trained))
        for own, other in zip(saved, correlated, strict=True):
            assert isinstance(own, BinnedShift)
            assert bool(own.measured)
            assert torch.equal(own.factor, other.factor)
            # Noise of 20 grey levels is far more than a shift that has just started.
            assert own.class_root.norm(dim=(1, 2)).min() > 5 * other.factor.norm()

    def test_a_shift_that_follows_the_brightness(self, tiny: Settings, tmp_path: Path) -> None:
        model, _ = train(tiny("architecture.shift=brightness", "training.workers=0"), tmp_path, progress=False)
        for shift in model.latents.shifts:
            assert isinstance(shift, BrightnessShift)
            assert shift.output.weight.count_nonzero() > 0

    def test_pairs(self, tiny: Settings, photos: Photos, tmp_path: Path) -> None:
        # Each photograph beside itself: u is zero everywhere, and eq. 5 grows without bound as M falls.
        folders = f"data.clean={photos.clean}", f"data.degraded={photos.clean}", "data.pairs=true"
        changes = "architecture.shift_start=0.3", "training.workers=0", "training.shift_rate_factor=10"
        out = tmp_path / "pairs"
        model, _ = train(tiny(*folders, *changes, "training.steps=30"), out, progress=False)
        for shift in model.latents.shifts:
            assert shift.factor.diagonal().max() < 0.25
        bits = [event.value for event in scalars(out, "bits_degraded")]
        assert bits[-1] < bits[0] - 0.2
        # Both crops of a pair stay together however few crops are at once.
        one_by_one = train(tiny(*folders, *changes, "training.crops_at_once=1"), tmp_path / "one", progress=False)[0]
        at_once = train(tiny(*folders, *changes), tmp_path / "all", progress=False)[0]
        for one, other in zip(one_by_one.parameters(), at_once.parameters(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("activations", ["checkpointed", "reversible"])
    def test_additive_couplings_recompute_their_activations(
        self, tiny: Settings, tmp_path: Path, activations: str
    ) -> None:
        levels = "architecture.coupling=additive", "architecture.levels=3", "architecture.split_after=[1,2]"
        losses = []
        for kind in ("stored", activations):
            run = tiny(*levels, f"training.activations={kind}", "training.workers=0")
            train(run, tmp_path / kind, progress=False)
            losses.append([event.value for event in scalars(tmp_path / kind, "loss")])
        # Inverting a layer rounds; eight steps of training carry it on.
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)
        assert losses[0][-1] != losses[0][0]

    def test_the_uncorrelated_variant(self, tiny: Settings, tmp_path: Path) -> None:
        model, _ = train(tiny("architecture.shift=uncorrelated", "training.workers=0"), tmp_path, progress=False)
        assert all(shift.factor.count_nonzero() <= shift.channels for shift in model.latents.shifts)

    def test_without_conditioning(self, tiny: Settings, tmp_path: Path) -> None:
        model, _ = train(tiny("architecture.factor=null", "training.workers=0"), tmp_path, progress=False)
        assert not [module for module in model.modules() if isinstance(module, RRDBEncoder)]

    def test_measured_statistics_are_saved_with_the_model(self, tiny: Settings, tmp_path: Path) -> None:
        train(tiny("data.normalize=true", "training.workers=0"), tmp_path, progress=False)
        normalization = DeFlow.from_pretrained(tmp_path / "model").config.normalization
        assert normalization is not None
        assert normalization.clean.mean != normalization.degraded.mean

    def test_mixed_precision(self, tiny: Settings, trained: Path, tmp_path: Path) -> None:
        model, _ = train(tiny("training.precision=bf16-mixed", "training.workers=0"), tmp_path, progress=False)
        assert {value.dtype for value in model.parameters()} == {torch.float32}
        mixed, full = ([event.value for event in scalars(out, "loss")] for out in (tmp_path, trained))
        assert mixed != full
        # bfloat16 has 8 bits: 0.4 % of each activation; the likelihood itself stays in float32.
        assert mixed[0] == pytest.approx(full[0], rel=0.02)

    def test_encoder_weights_from_a_file(self, tiny: Settings, tmp_path: Path) -> None:
        run = tiny(
            "training.workers=0", "training.encoder_delay=1", f"training.encoder_weights={tmp_path / 'rrdb.pth'}"
        )
        torch.manual_seed(5)
        (encoder,) = (m for m in DeFlow(run.architecture).modules() if isinstance(m, RRDBEncoder))
        write_state(tmp_path / "rrdb.pth", {f"module.{key}": value for key, value in encoder.state_dict().items()})
        model, _ = train(run, tmp_path / "run", progress=False)
        (used,) = (m for m in model.modules() if isinstance(m, RRDBEncoder))
        assert same(used.state_dict(), encoder.state_dict())

    @pytest.mark.parametrize(
        ("change", "told"),
        [("training.encoder_weights=none.pth", r"none\.pth: no such file"), ("architecture.factor=null", "no encoder")],
    )
    def test_encoder_weights_that_do_not_fit_stop_the_run_before_it_starts(
        self, tiny: Settings, tmp_path: Path, change: str, told: str
    ) -> None:
        with pytest.raises(UserError, match=told):
            train(tiny("training.encoder_weights=none.pth", change), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()


class TestCheckpointsThatDoNotBelong:
    @pytest.fixture
    def stopped(self, tiny: Settings, tmp_path: Path) -> tuple[Run, Path]:
        """A run and its checkpoint, from which it would go on."""
        run = tiny("training.workers=0", "training.max_skipped=1")
        with pytest.raises(UserError):
            train(run, tmp_path / "run", progress=False, callbacks=[Spoil({2}, math.nan, "image")])
        return run, tmp_path / "run" / "checkpoints" / "last.ckpt"

    @pytest.mark.parametrize("form", ["zip", "pickle", "within"])
    def test_a_pickle_that_would_run_something_is_refused(
        self, stopped: tuple[Run, Path], tmp_path: Path, form: str
    ) -> None:
        run, last = stopped
        evil = Evil(tmp_path / "executed")
        if form == "within":
            checkpoint = torch.load(last, weights_only=True)
            checkpoint["callbacks"]["more"] = evil
            last.write_bytes(pickled(checkpoint))
        else:
            last.write_bytes(pickled(evil) if form == "zip" else pickle.dumps(evil))
        with pytest.raises(UserError, match=r"last\.ckpt: .*nothing in it was run; remove it"):
            train(run, tmp_path / "run", progress=False)
        assert not (tmp_path / "executed").exists()

    @pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
    def test_a_damaged_one_is_refused(self, stopped: tuple[Run, Path], content: bytes | None) -> None:
        run, last = stopped
        last.write_bytes(last.read_bytes()[:5000] if content is None else content)
        with pytest.raises(UserError, match=r"last\.ckpt: .*remove it to start the run anew"):
            train(run, last.parent.parent, progress=False)

    @pytest.mark.parametrize("value", [[1, 2], {"a": torch.ones(1)}])
    def test_something_else_is_refused(self, stopped: tuple[Run, Path], value: Any) -> None:
        run, last = stopped
        last.write_bytes(pickled(value))
        with pytest.raises(UserError, match=r"last\.ckpt: is no checkpoint of a run"):
            train(run, last.parent.parent, progress=False)

    @pytest.mark.parametrize("change", ["architecture.steps=2", "architecture.hidden_channels=6"])
    def test_one_of_another_architecture_is_refused(
        self, stopped: tuple[Run, Path], tiny: Settings, tmp_path: Path, change: str
    ) -> None:
        run, last = stopped
        train(tiny("training.workers=0", "training.steps=2", change), tmp_path / "other", progress=False)
        last.write_bytes((tmp_path / "other" / "checkpoints" / "last.ckpt").read_bytes())
        with pytest.raises(UserError, match=r"last\.ckpt: is of another architecture \(key '.*' does not fit\)"):
            train(run, last.parent.parent, progress=False)


class TestUnreadableImages:
    @pytest.fixture
    def damaged(self, photos: Photos, tmp_path: Path) -> Path:
        """One whole image, one cut short, one empty."""
        whole = next(photos.clean.glob("*.png")).read_bytes()
        folder = tmp_path / "damaged"
        folder.mkdir()
        (folder / "whole.png").write_bytes(whole)
        (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
        (folder / "empty.png").touch()
        return folder

    @pytest.mark.parametrize("workers", [0, 2])
    def test_training_goes_on_and_names_each_once(
        self, tiny: Settings, damaged: Path, tmp_path: Path, workers: int
    ) -> None:
        _, problems = train(
            tiny(f"data.clean={damaged}", f"training.workers={workers}"), tmp_path / "run", progress=False
        )
        assert len(problems) == 2
        assert "empty.png" in problems[0]
        assert "cut.png" in problems[1]

    def test_a_run_that_goes_on_still_knows_them(self, tiny: Settings, damaged: Path, tmp_path: Path) -> None:
        run = tiny(f"data.clean={damaged}", "training.workers=0")
        with pytest.raises(SystemExit):
            train(run, tmp_path / "run", progress=False, callbacks=[SignalAt(7, SIGTERM)])
        known = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["deflow"]["problems"]
        assert len(known) == 2
        _, problems = train(run, tmp_path / "run", progress=False)
        assert sorted(problems) == sorted(known)

    def test_an_error_in_a_worker_stays_one_line(self, tiny: Settings, damaged: Path, tmp_path: Path) -> None:
        class Damage(Callback):
            def on_train_start(self, trainer: Any, pl_module: Any) -> None:
                # The workers are started after this; the actnorms have seen whole images.
                for path in damaged.iterdir():
                    path.write_bytes(b"")

        run = tiny(f"data.clean={damaged}", "training.workers=1", "training.steps=40")
        with pytest.raises(UserError, match="no clean image can be read any more") as error:
            train(run, tmp_path / "run", progress=False, callbacks=[Damage()])
        assert "\n" not in str(error.value)
        assert "Traceback" not in str(error.value)


class TestTwoProcesses:
    def test_their_gradients_are_those_of_one_process(
        self, tiny: Settings, run_python: Callable[..., Ended], tmp_path: Path
    ) -> None:
        for devices, strategy in ((1, "auto"), (2, "ddp")):
            changes = (f"training.devices={devices}", f"training.strategy={strategy}", "training.steps=3")
            more = ("training.workers=1", "training.ema=0.5", "training.monitor_every=2", "training.select=code_length")
            (tmp_path / "run.yaml").write_text(to_yaml(tiny(*changes, "training.batch=8", *more)))
            (tmp_path / str(devices)).mkdir()
            script = Path(__file__).with_name("gradients_run.py")
            ended = run_python([script, tmp_path / "run.yaml", tmp_path / f"run{devices}", tmp_path / str(devices)])
            assert ended.status == 0, ended.err
        for step in range(3):
            alone = torch.load(tmp_path / "1" / f"step{step}_rank0of1.pt")
            ranks = [torch.load(tmp_path / "2" / f"step{step}_rank{rank}of2.pt") for rank in (0, 1)]
            for kind in ("gradients", "weights"):
                assert same(ranks[0][kind], ranks[1][kind])
                assert alone[kind].keys() == ranks[0][kind].keys()
            for name, gradient in alone["gradients"].items():
                # Sums over the batch in another order, in float32; later steps start from weights that Adam,
                # where a gradient is nearly 0, has moved apart by a small part of the learning rate.
                tolerance = (1e-5 if step == 0 else 1e-3) * gradient.abs().max().item() + 1e-7
                torch.testing.assert_close(ranks[0]["gradients"][name], gradient, atol=tolerance, rtol=1e-4, msg=name)
        model = load_file(tmp_path / "run2" / "model" / "model.safetensors")
        reference = load_file(tmp_path / "run1" / "model" / "model.safetensors")
        for key, value in reference.items():
            # Three steps of 1e-3 at most; a wrong average over the processes would show in full.
            assert (model[key].double() - value.double()).abs().mean() < 1e-4, key
