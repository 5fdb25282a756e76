"""Trains the degraders that have a discriminator."""

from pathlib import Path

import pytorch_lightning as pl

from flowkit_deflow.degraders.adversarial.cycle_task import CycleTask
from flowkit_deflow.degraders.adversarial.filters import haar_high, haar_low, high_pass, low_pass
from flowkit_deflow.degraders.adversarial.networks import TranslationGenerator, high_frequency_critic
from flowkit_deflow.degraders.adversarial.probabilistic import ProbabilisticDegradation
from flowkit_deflow.degraders.adversarial.probabilistic_task import ProbabilisticTask
from flowkit_deflow.degraders.adversarial.separation_task import SeparationTask
from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation, Translation
from flowkit_deflow.degraders.adversarial.unpaired_crops import UnpairedFolders
from flowkit_deflow.degraders.learning.learner import SETTINGS, Learned
from flowkit_deflow.evaluation.metrics.lpips import Lpips
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.settings.adversarial import (
    CycleGanRun,
    DasrRun,
    FrequencySeparationRun,
    PdmRun,
    SeparationLosses,
)
from flowkit_deflow.training.adversarial.alternating import Alternating, Optimisation
from flowkit_deflow.training.adversarial.discriminators import PatchDiscriminator
from flowkit_deflow.training.adversarial.task import Task
from flowkit_deflow.training.cautions import warn_of_folders
from flowkit_deflow.training.fitting import fit
from flowkit_deflow.training.lightning_trainer import Loop, require_usable
from flowkit_deflow.training.run_settings import keep_settings

__all__ = ["train_cyclegan", "train_dasr", "train_frequency_separation", "train_pdm"]

_Run = FrequencySeparationRun | DasrRun | CycleGanRun | PdmRun


def train_frequency_separation(run: FrequencySeparationRun, out: Path, progress: bool) -> Learned:
    """Train DSGAN: the low-pass is the mean of 5 x 5 pixels.

    Raises:
        UserError: a folder or setting does not fit, or the loss was not finite.
    """
    pl.seed_everything(run.training.seed, verbose=False)
    model = Translation(run.network)
    critic = high_frequency_critic(3, run.network.discriminator_features)
    task = SeparationTask(model.network, critic, low_pass, high_pass, run.losses, _lpips(run.losses))
    problems = _fit(task, run, out, progress)
    return Learned(model.cpu().eval(), problems)


def train_dasr(run: DasrRun, out: Path, progress: bool) -> Learned:
    """Train DASR's degradation network: low and high frequencies are those of Haar's wavelet.

    Raises:
        UserError: a folder or setting does not fit, or the loss was not finite.
    """
    pl.seed_everything(run.training.seed, verbose=False)
    model = DomainAwareTranslation(run.network)
    task = SeparationTask(model.network, model.critic, haar_low, haar_high, run.losses, _lpips(run.losses))
    problems = _fit(task, run, out, progress)
    return Learned(model.cpu().eval(), problems)


def train_cyclegan(run: CycleGanRun, out: Path, progress: bool) -> Learned:
    """Train CycleGAN; its generator from clean to degraded images is the degrader.

    Raises:
        UserError: a folder or setting does not fit, or the loss was not finite.
    """
    pl.seed_everything(run.training.seed, verbose=False)
    model, network = Translation(run.network), run.network
    restore = TranslationGenerator(network.features, network.blocks)
    of_degraded, of_clean = (PatchDiscriminator(features=network.discriminator_features, layers=2) for _ in range(2))
    task = CycleTask(model.network, restore, of_degraded, of_clean, run.losses)
    problems = _fit(task, run, out, progress)
    return Learned(model.cpu().eval(), problems)


def train_pdm(run: PdmRun, out: Path, progress: bool) -> Learned:
    """Train the probabilistic degradation model.

    Raises:
        UserError: a folder or setting does not fit, or the loss was not finite.
    """
    pl.seed_everything(run.training.seed, verbose=False)
    model = ProbabilisticDegradation(run.network)
    critic = PatchDiscriminator(features=run.network.discriminator_features, layers=2)
    problems = _fit(ProbabilisticTask(model, critic, run.training.seed), run, out, progress)
    return Learned(model.cpu().eval(), problems)


def _fit(task: Task, run: _Run, out: Path, progress: bool) -> list[str]:
    training = run.training
    folders = UnpairedFolders(run.data, training)
    optimisation = Optimisation(training.steps, training.rate, training.betas, training.workers)
    module = Alternating(task, folders, optimisation, folders.problems)
    loop = Loop(training.steps, training.checkpoint_every, training.log_every, training.accelerator)
    require_usable(loop, out)
    data = run.data
    warn_of_folders(out / SETTINGS, data.clean, data.degraded, (data.clean_downsample,))
    # A run that is stopped goes on with the settings that it began with.
    keep_settings(run, out / SETTINGS)
    fit(module, loop, out, progress=progress)
    return module.problems


def _lpips(losses: SeparationLosses) -> Lpips | None:
    return Lpips.alex(MetricFiles.usual()) if losses.lpips else None
