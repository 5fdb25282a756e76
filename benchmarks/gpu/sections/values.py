"""Bijectors of flowkit's catalogue on this device: the contract's check of devices, and values beside the CPU's."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from flowkit import Bijector
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.check import as_case, run_checks
from flowkit.testing.properties import shapes
from flowkit.testing.subject import Sample, Subject
from flowkit.testing.values import apply_to, tensors

__all__ = ["rows"]

TOLERANCE = 1e-8
"""In float64, relative to 1 and the value: what other orders of addition cost through a deep flow, and some more."""


def rows(setting: Setting) -> Iterator[Row]:
    """For each bijector whether the checks of shapes, types and devices hold, and the largest difference of values."""
    for name in setting.sizes.entries:
        report = run_checks(CATALOGUE[name], seeds=(0,), properties=shapes.PROPERTIES)
        subject = Subject(as_case(CATALOGUE[name]), seed=0)
        here, there = (_values(subject, torch.device(kind)) for kind in ("cpu", setting.device))
        difference = max(map(_distance, here, there))
        yield {
            "bijector": name,
            "contract": report.summary,
            "largest difference": difference,
            "tolerance": TOLERANCE,
            "passed": not report.failures and difference <= TOLERANCE,
            "failures": "; ".join(report.reasons),
        }


def _values(subject: Subject, device: torch.device) -> list[Tensor]:
    """Results of both directions and the gradients of the parameters, on the CPU."""
    bijector: Bijector[Any, Any] = subject.again().to(device)
    sample = subject.sample()
    moved = Sample(*(apply_to(value, lambda t: t.to(device)) for value in (sample.x, sample.z, sample.context)))
    z, log_det = bijector(moved.x, moved.context)
    x, log_det_back = bijector.inverse(moved.z, moved.context)
    total = sum(part.sin().sum() for part in [*tensors(z), *tensors(x), log_det, log_det_back])
    parameters = [parameter for parameter in bijector.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(total, parameters, allow_unused=True) if parameters else ()
    found = [*tensors(z), log_det, *tensors(x), log_det_back, *(grad for grad in gradients if grad is not None)]
    return [tensor.detach().cpu() for tensor in found]


def _distance(one: Tensor, other: Tensor) -> float:
    return float(((one - other).abs() / (1 + one.abs())).max()) if one.numel() else 0.0
