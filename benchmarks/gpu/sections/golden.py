"""The numbers that the published program computed, beside those of this device."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.gpu.arithmetic import arithmetic
from benchmarks.gpu.section import Row
from benchmarks.gpu.sizes import Setting
from flowkit_deflow import Architecture, from_published
from flowkit_deflow.method.architecture import build_bijector, build_latents

__all__ = ["GOLDEN", "rows"]

GOLDEN = Path(__file__).parents[3] / "tests" / "data" / "golden"
SCALES = (4, 8)

TOLERANCE = 1e-4
"""What float32 allows between two programs, as in the tests on a CPU; absolute, but of likelihoods relative."""


@torch.no_grad()
def rows(setting: Setting) -> Iterator[Row]:
    """The largest difference of latents, log-likelihoods and degraded images, in float32 without TF32."""
    for scale in SCALES:
        with arithmetic("float32", setting.device):
            for quantity, difference in _differences(scale, setting.device):
                yield {
                    "network": f"scale {scale}",
                    "quantity": quantity,
                    "largest difference": difference,
                    "tolerance": TOLERANCE,
                    "passed": difference <= TOLERANCE,
                }


def _differences(scale: int, device: torch.device) -> Iterator[tuple[str, float]]:
    recorded = json.loads((GOLDEN / f"scale{scale}.json").read_text(encoding="utf-8"))
    architecture = _architecture(recorded)
    bijector, latents = build_bijector(architecture), build_latents(architecture)
    from_published(bijector, latents, load_file(GOLDEN / f"scale{scale}.weights.safetensors"))
    bijector, latents = bijector.to(device), latents.to(device)
    tensors = load_file(GOLDEN / f"scale{scale}.tensors.safetensors", str(device))

    bound = bijector.bind(tensors["lr"])
    z, log_det = bound(tensors["x"])
    levels = range(len(z))
    yield "latents", max(_distance(z[i], tensors[f"latent.{i}"]) for i in levels)
    log_prob = latents.log_prob(z, tensors["domain"]) + log_det
    yield "log-likelihoods", float(((log_prob - tensors["log_prob"]) / tensors["log_prob"]).abs().max())
    noise = tuple(tensors[f"shift_noise.{i}"] for i in levels)
    degraded, _ = bound.inverse(latents.degrade(z, noise, 1.0))
    yield "degraded images", _distance(degraded, tensors["degraded.tau1.0"])
    back, _ = bound.inverse(z)
    yield "the images again", _distance(back, tensors["x"])


def _architecture(recorded: dict[str, Any]) -> Architecture:
    """That of the published program's options."""
    return Architecture(
        factor=recorded["scale"],
        levels=recorded["L"],
        steps=recorded["K"],
        plain_steps=recorded["additional_flow_no_affine"],
        hidden_channels=recorded["hidden_channels"],
        split_after=(1,),
        scale_eps=recorded["coupling_eps"],
        encoder_features=recorded["nf"],
        encoder_growth=recorded["gc"],
        encoder_blocks=recorded["nb"],
        stack_blocks=tuple(recorded["stack_blocks"]),
        bins=recorded["quant"],
    )


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())
