"""A cell of the table: a method on a track with a seed, by the commands that a user runs."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.restoration.methods import ORACLE, WRITTEN, learning, named_settings, variant
from benchmarks.restoration.tracks import Track
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.settings.restoration_presets import restorer_preset

__all__ = ["METRICS", "Cell", "run_deflow"]

METRICS = {"psnr": "psnr", "ssim": "ssim", "lpips": "lpips-alex", "niqe": "niqe"}
"""The record's names of metrics, and those of ``deflow metrics``."""

MADE_BY, RESULT, TOOK = "made_by.json", "scores.json", "minutes.json"

RESTORER = "small"
"""The named settings of the restoration network."""


@dataclass(frozen=True)
class Cell:
    """One method, track and seed.

    Attributes:
        track: its folders.
        method: its name.
        seed: of degrader and restoration network.
        steps: of the restoration network.
        metric_files: folder of published weights and models of the metrics.
    """

    track: Track
    method: str
    seed: int
    steps: int
    metric_files: Path

    def commands(self, folder: Path) -> list[list[str]]:
        """The commands, without ``deflow``, that work in the folder."""
        track, chosen = self.track, variant(self.method)
        base = chosen.base
        learned = folder / "degrader"
        scale = str(track.scale)
        commands = []
        source = ["--degrader", str(learned / "model")]
        if base == ORACLE:
            source = ["--degraded", str(track.pairs_degraded), "--pairs"]
        elif base != WRITTEN:
            data = ["--clean", str(track.learned_clean), "--degraded", str(track.degraded), "--out", str(learned)]
            commands.append(["train", *data, *self._downsampled(base), *learning(base, self.seed)])
        clean = track.pairs_clean if base == ORACLE else track.clean
        network = ["--set", f"architecture.network={'denoiser' if track.scale == 1 else 'residual'}"]
        if chosen.extra_noise:
            network += ["--set", f"data.extra_noise={chosen.extra_noise:.4g}"]
        training = ["--clean", str(clean), *source, "--scale", scale, "--seed", str(self.seed), "--preset", RESTORER]
        training = ["restorer", "train", *training, *network]
        first, run = str(folder / "restorer"), str(self._restorer(folder))
        commands.append([*training, "--steps", str(self.steps), "--out", first])
        if chosen.adversarial:
            commands.append([*training, *self._second_stage(f"{first}/model"), "--out", run])
        restored = str(folder / "restored")
        commands.append(["restorer", "apply", run, str(track.judged_degraded), restored])
        metrics = [part for name in METRICS.values() for part in ("--metric", name)]
        files = ["--metric-files", str(self.metric_files), "--out", str(folder / RESULT)]
        commands.append(["metrics", restored, "--reference", str(track.judged_clean), *metrics, *files])
        return commands

    def made_by(self, folder: Path) -> dict[str, Any]:
        """The commands, and the named settings that they change."""
        base = variant(self.method).base
        settings = [] if base in (ORACLE, WRITTEN) else [named_settings(base)]
        return {
            "commands": self.commands(folder),
            "settings": [repr(run) for run in (*settings, restorer_preset(RESTORER))],
        }

    def _restorer(self, folder: Path) -> Path:
        """The run of the network that restores: that of its last stage."""
        return folder / ("second_stage" if variant(self.method).adversarial else "restorer")

    def _second_stage(self, weights: str) -> list[str]:
        """The losses of the paper's second stage, for half as many steps, by VGG16's published weights of LPIPS."""
        settings = {
            "training.weights": weights,
            "training.learning_rate": 2e-4,
            "losses.l1": 1e-2,
            "losses.features": 1,
            "losses.adversarial": 5e-3,
            "losses.feature_network": "vgg16",
            "losses.feature_weights": self.metric_files / "lpips_vgg16.safetensors",
            "losses.discriminator": "patch",
            "losses.discriminator_features": 32,
        }
        changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        return ["--steps", str(self.steps // 2), *changes]

    def _downsampled(self, method: str) -> list[str]:
        if self.track.scale == 1:
            return []
        listed = "--degrader" not in learning(method, self.seed)
        scale = f"[{self.track.scale}]" if listed else self.track.scale
        return ["--set", f"data.clean_downsample={scale}"]

    def folder(self, root: Path) -> Path:
        """Where its files are."""
        return root / self.track.name / self.method.replace(" ", "_") / f"seed {self.seed}"

    def is_computed(self, root: Path) -> bool:
        """Whether it has its scores."""
        return (self.folder(root) / RESULT).exists()

    def minutes(self, root: Path) -> float:
        """How long its commands took, whenever that was; 0 before the first ends."""
        file = self.folder(root) / TOOK
        return float(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else 0.0

    def restore(self, root: Path, photographs: Path, out: Path) -> None:
        """Restore other photographs by the network of a cell that was computed; ``out`` is made anew."""
        shutil.rmtree(out, ignore_errors=True)
        folder = self.folder(root)
        run = str(self._restorer(folder))
        run_deflow(["restorer", "apply", run, str(photographs), str(out)], folder / "log.txt")

    def _take_learned(self, root: Path, folder: Path) -> None:
        """Take what another method trains in the same way, if it is there: its degradation, and a first stage."""
        chosen = variant(self.method)
        other = replace(self, method=chosen.base).folder(root)
        same = ["degrader", *(["restorer"] if chosen.adversarial else [])]
        for part in same if chosen.base != self.method else []:
            if (other / part / "model").is_dir() and not (folder / part).exists():
                shutil.copytree(other / part, folder / part)

    def scores(self, root: Path) -> dict[str, dict[str, float]]:
        """By metric and image; computed once, and again where the commands or the named settings have changed.

        Raises:
            CalledProcessError: a command failed; what it printed is in the cell's ``log.txt``.
        """
        folder = self.folder(root)
        expected = self.made_by(folder)
        made_by, result = folder / MADE_BY, folder / RESULT
        if not made_by.exists() or json.loads(made_by.read_text(encoding="utf-8")) != expected:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            made_by.write_text(json.dumps(expected, indent=1), encoding="utf-8")
        if not result.exists():
            self._take_learned(root, folder)
            if self.method == WRITTEN:
                HandWritten("bsrgan").save_pretrained(folder / "degrader" / "model")
            for command in expected["commands"]:
                begin = time.monotonic()
                run_deflow(command, folder / "log.txt")
                took = self.minutes(root) + (time.monotonic() - begin) / 60
                (folder / TOOK).write_text(json.dumps(took), encoding="utf-8")
        judged: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return {name: judged[key]["values"] for name, key in METRICS.items()}


def run_deflow(command: Sequence[str], log: Path) -> None:
    """Run a command in a process of its own; what it prints is added to the log.

    Raises:
        CalledProcessError: it failed.
    """
    with log.open("a", encoding="utf-8") as file:
        subprocess.run(
            [sys.executable, "-m", "flowkit_deflow", *command], check=True, stdout=file, stderr=subprocess.STDOUT
        )
