"""Training a restoration network, or going on with a run that was stopped."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
from torch import Tensor, nn

from flowkit_deflow.degraders.degrader import SupportsDomainMap
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.errors import UserError
from flowkit_deflow.restoration.published import load_restorer
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.restoration.training.clean_crops import CleanCrops
from flowkit_deflow.restoration.training.feature_loss import feature_loss
from flowkit_deflow.restoration.training.on_the_fly import ExtraNoise, OnTheFly
from flowkit_deflow.restoration.training.task import RestorerTask
from flowkit_deflow.restoration.training.validation import validation
from flowkit_deflow.settings.adversarial import DasrRun
from flowkit_deflow.settings.differences import differences
from flowkit_deflow.settings.restoration import RestorerLosses, RestorerRun, RestorerTraining
from flowkit_deflow.training.adversarial.alternating import Alternating, Optimisation
from flowkit_deflow.training.adversarial.discriminators import PatchDiscriminator, Vgg128Discriminator
from flowkit_deflow.training.cautions import warn_of_folders
from flowkit_deflow.training.fitting import fit
from flowkit_deflow.training.lightning_trainer import Loop, require_usable
from flowkit_deflow.training.run_settings import keep_settings, require_resumable

__all__ = ["SETTINGS", "loop_of", "require_trainable", "train_restorer"]

SETTINGS = "restorer.yaml"

_NO_DOMAIN_MAP = (
    "setting 'losses.domain_weighted' needs a degrader's domain-distance map, and {}; learn a degrader that has one "
    "with --degrader dasr, or set it to false"
)
"""The file of a run's settings, by which its folder is known."""

log = logging.getLogger(__name__)

DISCRIMINATORS: dict[str, Callable[[int], nn.Module]] = {
    "vgg128": Vgg128Discriminator,
    "patch": lambda features: PatchDiscriminator(features=features),
}


def train_restorer(run: RestorerRun, out: Path, *, progress: bool = True) -> tuple[Restorer, list[str]]:
    """Train a restoration network, or go on with a run that was stopped.

    ``out`` holds ``restorer.yaml`` (the settings), ``checkpoints/last.ckpt``, ``log/`` (TensorBoard), ``best/`` where
    validation images are given, and in the end ``model/``, which :meth:`Restorer.from_pretrained` reads: the best by
    the validation images, or the last.

    Args:
        run: the settings.
        out: folder of the run.
        progress: show a progress bar.

    Returns:
        The trained network, in evaluation mode on the CPU, and a message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit, or the loss was not finite.
    """
    require_resumable(run, out / SETTINGS)
    pl.seed_everything(run.training.seed, verbose=False)
    # Whatever can be wrong with the settings is found out before anything is written.
    crops = _crops(run)
    degrade = _on_the_fly(run)
    restorer = _start(run)
    features = feature_loss(run.losses) if run.losses.features else None
    judged = validation(run, out / "best")
    domain_map = _domain_map(run.losses, degrade)
    extra_noise = ExtraNoise(run.data.extra_noise, run.training.seed)
    discriminator = _discriminator(run.losses)
    task = RestorerTask(restorer, run.losses, degrade, extra_noise, features, discriminator, domain_map)
    training = run.training
    optimisation = Optimisation(training.steps, partial(_learning_rate, training), training.betas, training.workers)
    problems = [*crops.problems, *([] if judged is None else judged.problems)]
    module = Alternating(task, crops, optimisation, problems)
    loop = loop_of(training)
    require_usable(loop, out)
    warn_of_folders(out / SETTINGS, run.data.clean, run.data.degraded)
    keep_settings(run, out / SETTINGS)
    if judged is None:
        fit(module, loop, out, progress=progress)
        chosen = f"step {training.steps}, the last: no images were given to judge by (--valid-degraded)"
    else:
        fit(module, loop, out, progress=progress, callbacks=[judged], columns=[judged.metric.key])
        chosen = judged.chosen or f"step {training.steps}, the last: no step could be judged by {training.judge}"
    log.info(f"The network is of {chosen}.")
    best = restorer if judged is None or judged.best_value is None else Restorer.from_pretrained(judged.best)
    best = best.cpu().eval()
    best.save_pretrained(out / "model")
    return best, module.problems


def require_trainable(run: RestorerRun, of_kind: str) -> None:
    """Check the settings as training will, before anything is learned for it; the degrader is not there yet.

    Args:
        run: the settings.
        of_kind: the kind of degrader that is to be learned.

    Raises:
        UserError: a folder or setting does not fit.
    """
    _crops(run)
    _start(run)
    if run.losses.features:
        feature_loss(run.losses)
    validation(run, Path())
    if run.losses.domain_weighted and of_kind != DasrRun.degrader:
        raise UserError(_NO_DOMAIN_MAP.format(f"a degrader of the kind {of_kind} has none"))


def _learning_rate(training: RestorerTraining, step: int) -> float:
    """Halved after each of the fractions ``halve_at`` of the steps."""
    return training.learning_rate * 0.5 ** sum(step >= fraction * training.steps for fraction in training.halve_at)


def _crops(run: RestorerRun) -> CleanCrops:
    data = run.data
    if data.clean is None:
        raise UserError("no folder of clean images was given; name it with --clean")
    if (data.degrader is None) == (data.degraded is None):
        given = "neither was given" if data.degrader is None else f"{data.degrader} and {data.degraded} both were"
        raise UserError(
            f"training takes a degrader or degraded partners of the clean images, and {given}; give --degrader, or "
            "--degraded with --pairs"
        )
    return CleanCrops(
        Path(data.clean),
        None if data.degraded is None else Path(data.degraded),
        run.architecture.scale,
        data.crop,
        run.training.batch,
        run.training.seed,
        flip=data.flip,
        sharpen=data.sharpen,
        strict=data.strict,
    )


def _on_the_fly(run: RestorerRun) -> OnTheFly | None:
    if run.data.degrader is None:
        return None
    degrader = load_degrader(run.data.degrader)
    return OnTheFly(degrader, run.architecture.scale, run.data.temperature, run.training.seed)


def _domain_map(losses: RestorerLosses, degrade: OnTheFly | None) -> Callable[[Tensor], Tensor] | None:
    if not losses.domain_weighted:
        return None
    degrader = None if degrade is None else degrade.degrader
    if not isinstance(degrader, SupportsDomainMap):
        given = "pairs have none" if degrader is None else f"a {type(degrader).__name__} has none"
        raise UserError(_NO_DOMAIN_MAP.format(given))
    return degrader.domain_map


def loop_of(training: RestorerTraining) -> Loop:
    """How long and where a restorer is trained."""
    return Loop(training.steps, training.checkpoint_every, training.log_every, training.accelerator, training.precision)


def _start(run: RestorerRun) -> Restorer:
    if run.training.weights is None:
        return Restorer(run.architecture)
    restorer = load_restorer(Path(run.training.weights))
    differing = differences(restorer.config.resolved(), run.architecture.resolved())
    if differing:
        named = ", ".join(f"architecture.{each.name} is {each.before!r}, not {each.now!r}" for each in differing)
        raise UserError(
            f"{run.training.weights}: holds another network than is asked for ({named}); set the architecture to fit"
        )
    return restorer


def _discriminator(losses: RestorerLosses) -> nn.Module | None:
    return DISCRIMINATORS[losses.discriminator](losses.discriminator_features) if losses.adversarial else None
