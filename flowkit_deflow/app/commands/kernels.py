"""``deflow kernels``."""

from pathlib import Path
from typing import Annotated

import typer

from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import Overwrite, Source, Strict

__all__ = ["kernels"]


def kernels(
    source: Source,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write kernels to, NAME.npy for each image.")],
    scale: Annotated[int, typer.Option(help="2, or 4 for the kernel applied twice.")] = 2,
    steps: Annotated[int, typer.Option(min=1, help="Training steps for each image.")] = 3000,
    channels: Annotated[int, typer.Option(min=1, help="Width of both networks.")] = 64,
    crop: Annotated[int, typer.Option(min=32, help="Side of the crops that they learn from.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed gives the same kernels (by the images' paths).")] = 0,
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Estimate the blur kernels of images by KernelGAN, for DeFlow's data.kernels and impressionism's kernel_folder."""
    from tqdm import tqdm

    from flowkit_deflow.app.image_kernels import kernel_jobs, write_kernels
    from flowkit_deflow.app.manifest import Manifest
    from flowkit_deflow.settings.degraders import KernelEstimation
    from flowkit_deflow.settings.text import from_dict

    given = {"scale": scale, "steps": steps, "channels": channels, "crop": crop}
    settings = from_dict(KernelEstimation, given, "deflow kernels")
    jobs, manifest = kernel_jobs(source, target), Manifest.beside(source, target)
    with tqdm(total=len(jobs), desc="kernels", unit=" image", disable=None) as bar:
        done = write_kernels(jobs, settings, seed, manifest, overwrite=overwrite, strict=strict, progress=bar.update)
    there = f", {done.skipped} were there already" if done.skipped else ""
    typer.echo(f"{done.written} kernels written to {target}{there}; train with them: --set data.kernels={target}")
    report_problems(done.problems, other_files(source))
