"""``python -m benchmarks restoration``: learn, train, restore and judge, cell by cell; write record and page."""

import argparse
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.outputs import add_outputs
from benchmarks.page import write_page

__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "restoration",
        help="restoration networks trained on what each degradation model makes, judged on real pairs",
        description="Learns every degradation from unpaired images, trains a small restoration network on it, restores "
        "images with known ground truth and judges them. A cell (track, method, seed) that WORK holds already is not "
        "computed again. Writes OUT/restoration.json and the tables of PAGE.",
    )
    add_outputs(command, "restoration", "no measurements: tables of OUT as it is")
    command.set_defaults(run=run)
    command.add_argument("--photographs", type=Path, help="folder of clean photographs: BSDS500's training images")
    command.add_argument("--polyu", type=Path, help="folder of PolyU: dev, val and unpaired_split.json")
    command.add_argument("--metric-files", type=Path, help="folder of published weights, as deflow metrics takes it")
    command.add_argument("--work", type=Path, default=Path("restoration_work"), help="folder of the cells")
    command.add_argument("--tracks", nargs="+", default=["R", "S_aim", "S_ntire"], help="default: all")
    command.add_argument("--methods", nargs="+", help="default: all")
    command.add_argument("--ablation", action="store_true", help="the parts of DeFlow on S_aim as well")
    command.add_argument("--seeds", type=int, default=3, help="how many; default %(default)s")
    command.add_argument("--steps", type=int, default=3000, help="of the restoration networks; default %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    from benchmarks.restoration import table

    path = arguments.out / "restoration.json"
    if not arguments.tables_only:
        if arguments.seeds < 1:
            raise SystemExit(f"--seeds is {arguments.seeds}; it takes 1 at least")
        if None in (arguments.photographs, arguments.polyu, arguments.metric_files):
            raise SystemExit("restoration needs --photographs, --polyu and --metric-files, or --tables-only")
        records.write(path, _measure(arguments))
    parts = table.sections(records.read(path))
    print("\n\n".join(parts.values()))
    write_page(arguments.page, parts)
    print(f"{path}\n{arguments.page}")
    return 0


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks.restoration.cell import Cell
    from benchmarks.restoration.methods import ABLATION, METHODS, on_track
    from benchmarks.restoration.summary import summary
    from benchmarks.restoration.tracks import Track, make_tracks

    work = arguments.work.resolve()
    minutes = 0.0

    # The paper's form is several rows of the ablation.
    @cache
    def measured(track: Track, method: str) -> dict[str, Any]:
        nonlocal minutes
        cells = [
            Cell(track, method, seed, arguments.steps, arguments.metric_files.resolve())
            for seed in range(arguments.seeds)
        ]
        result = summary([cell.scores(work) for cell in cells])
        minutes += sum(cell.minutes(work) for cell in cells)
        told = ", ".join(f"{name} {values['mean']:.4g}" for name, values in result.items())
        print(f"{track.name}, {method}: {told}", flush=True)
        return result

    tracks = make_tracks(arguments.tracks, arguments.photographs.resolve(), arguments.polyu.resolve(), work)
    methods = arguments.methods or METHODS
    # Methods first: the cheap rows of all tracks are there before the dear ones.
    results: dict[str, dict[str, Any]] = {track.name: {} for track in tracks}
    for method in methods:
        for track in tracks:
            if on_track(method, track.name):
                results[track.name][method] = measured(track, method)
    ablation = {}
    if arguments.ablation:
        (made,) = make_tracks(["S_aim"], arguments.photographs.resolve(), arguments.polyu.resolve(), work)
        ablation = {row: measured(made, method) for row, method in ABLATION.items()}
    return {
        "command": "python -m benchmarks restoration",
        "minutes": round(minutes, 1),
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(("torch",)),
        "seeds": arguments.seeds,
        "steps": arguments.steps,
        "tracks": results,
        "ablation": ablation,
    }
