"""Measuring the latent shifts after training, with the flow as it is."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.measured import MeasuredShift
from flowkit_deflow.method.shifts.moments import ClassMoments
from flowkit_deflow.training.data import Batch
from flowkit_deflow.training.inputs import network_inputs

__all__ = ["BATCHES", "infer_shifts"]

# Of 16 crops of 32 x 32 pixels, these hold 246,000 places at a fourth of the resolution: 6,800 of either domain in each
# of 18 classes, for covariances of 48 channels. With 96 batches the level of what one model of PolyU's noise generated
# was 0.88 to 0.97 of the real one in three draws of them, with 384 it was 0.91 to 0.95.
BATCHES = 240


@torch.no_grad()
def infer_shifts(model: DeFlow, batches: Callable[[], Iterable[Batch]], pairs: bool = False) -> None:
    """Measure the shifts that are measured after training, on images of both domains; others stay as they are.

    Args:
        model: the trained model; its measured shifts are set.
        batches: gives the same batches of both domains each time that it is called. They are gone through twice, for
            the classes of places and for the latents, and none is kept.
        pairs: whether clean and degraded images alternate in the batches and belong together: the shift is then
            measured on the differences of their latents.
    """
    shifts = {i: shift for i, shift in enumerate(model.latents.shifts) if isinstance(shift, MeasuredShift)}
    if not shifts:
        return
    _lay_out_classes(model, shifts, batches())
    sums = {i: (ClassMoments(s.classes, s.channels), ClassMoments(s.classes, s.channels)) for i, s in shifts.items()}
    for batch in batches():
        images, h = network_inputs(model, batch)
        domains = batch["domain"].to(images.device)
        z, _ = model.bijector(model.normalization.to_shared(images, domains), h)
        clean, degraded = domains == Domain.CLEAN, domains == Domain.DEGRADED
        source = batch["source"].to(images.device)
        for i, shift in shifts.items():
            weights = shift.class_weights(h, len(images), _size(z[i]))
            of_clean, other = sums[i]
            of_clean.add(z[i][clean], weights[clean], source[clean])
            shifted = z[i][degraded] - z[i][clean] if pairs else z[i][degraded]
            other.add(shifted, weights[degraded], source[degraded])
    for i, shift in shifts.items():
        (shift.measure_pairs if pairs else shift.measure)(*sums[i])


def _lay_out_classes(model: DeFlow, shifts: dict[int, MeasuredShift], batches: Iterable[Batch]) -> None:
    """Lay the classes out by the places of both domains; h alone decides them, the flow need not run."""
    several = {i: shift for i, shift in shifts.items() if shift.classes > 1}
    if not several:
        return
    seen: dict[int, list[Tensor]] = {i: [] for i in several}
    for batch in batches:
        images, h = network_inputs(model, batch)
        shapes = model.bijector.output_shape(tuple(images.shape[1:]))
        for i, shift in several.items():
            features = shift.place_features(h, shapes[i][-2:])
            assert features is not None
            seen[i].append(features.movedim(1, 0).flatten(1))
    for i, shift in several.items():
        shift.lay_out_classes(torch.cat(seen[i], 1))


def _size(z: Tensor) -> tuple[int, int]:
    return z.shape[-2], z.shape[-1]
