"""Every metric by its name."""

from collections.abc import Callable

from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.brisque import Brisque
from flowkit_deflow.evaluation.metrics.colour import luma
from flowkit_deflow.evaluation.metrics.lpips import Lpips
from flowkit_deflow.evaluation.metrics.metric import Better, Measure, Metric
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.niqe import BLOCK, Niqe
from flowkit_deflow.evaluation.metrics.piqe import piqe
from flowkit_deflow.evaluation.metrics.psnr import psnr
from flowkit_deflow.evaluation.metrics.ssim import SMALLEST_SIDE, ssim

__all__ = ["METRICS", "named_metrics"]


def _without_files(measure: Measure) -> Callable[[MetricFiles], Measure]:
    return lambda _: measure


def _of_luma(measure: Measure) -> Measure:
    def measured(images: Tensor, references: Tensor) -> Tensor:
        return measure(luma(images.double()), luma(references.double()))

    return measured


def _blind_piqe(images: Tensor, _: Tensor) -> Tensor:
    return piqe(images)


_SSIM = "SSIM ({of}, 11 x 11 Gaussian window)"
# Below these sides, AlexNet's and VGG's last features have no place.
_ALEX_SIDE, _VGG_SIDE = 31, 16
# Two blocks side by side: one has no covariance.
_NIQE_LONGER_SIDE = 2 * BLOCK
# The half-size image has as many pixels as the window then.
_BRISQUE_SIDE = 14

_ALL = (
    Metric("psnr", "PSNR of RGB", Better.HIGHER, True, _without_files(psnr), unit="dB"),
    Metric("psnr-y", "PSNR of luma (BT.601)", Better.HIGHER, True, _without_files(_of_luma(psnr)), unit="dB"),
    Metric("ssim", _SSIM.format(of="RGB"), Better.HIGHER, True, _without_files(ssim), SMALLEST_SIDE),
    Metric("ssim-y", _SSIM.format(of="luma"), Better.HIGHER, True, _without_files(_of_luma(ssim)), SMALLEST_SIDE),
    Metric("lpips-alex", "LPIPS 0.1 (AlexNet)", Better.LOWER, True, Lpips.alex, _ALEX_SIDE),
    Metric("lpips-vgg", "LPIPS 0.1 (VGG16)", Better.LOWER, True, Lpips.vgg, _VGG_SIDE),
    Metric("niqe", "NIQE (LIVE's model)", Better.LOWER, False, Niqe.read, BLOCK, _NIQE_LONGER_SIDE),
    Metric("brisque", "BRISQUE (LIVE's model)", Better.LOWER, False, Brisque.read, _BRISQUE_SIDE),
    Metric("piqe", "PIQE", Better.LOWER, False, _without_files(_blind_piqe)),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}


def named_metrics(keys: list[str]) -> list[Metric]:
    """Metrics by name.

    Raises:
        UserError: a name is unknown.

    Examples:
        >>> [metric.unit for metric in named_metrics(["psnr", "niqe"])]
        ['dB', '']
    """
    for key in keys:
        if key not in METRICS:
            raise UserError(f"metric {key!r} is unknown; there are: {', '.join(METRICS)}")
    return [METRICS[key] for key in keys]
