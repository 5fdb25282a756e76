"""``python -m benchmarks restoration``: learn, train, restore and judge, cell by cell; write record and page."""

import argparse
from collections.abc import Sequence
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
        "computed again. Writes OUT/restoration.json and PAGE. Other rows of OUT stay if the same steps, versions and "
        "machine made them; a record that was made otherwise is replaced: give another --out to keep it.",
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
    command.add_argument(
        "--pictures",
        type=Path,
        help="folder for strips of two free photographs, on the tracks that have them; default none",
    )
    command.add_argument("--seeds", type=int, default=3, help="how many; default %(default)s")
    command.add_argument("--steps", type=int, default=600, help="of the restoration networks; default %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    from benchmarks.restoration import table
    from benchmarks.restoration.methods import METHODS
    from benchmarks.restoration.tracks import TRACKS

    path = arguments.out / "restoration.json"
    if not arguments.tables_only:
        if arguments.seeds < 1:
            raise SystemExit(f"--seeds is {arguments.seeds}; it takes 1 at least")
        _require_known("--tracks", arguments.tracks, TRACKS)
        _require_known("--methods", arguments.methods or METHODS, METHODS)
        if None in (arguments.photographs, arguments.polyu, arguments.metric_files):
            raise SystemExit("restoration needs --photographs, --polyu and --metric-files, or --tables-only")
        for folder in (arguments.photographs, arguments.polyu, arguments.metric_files):
            if not folder.is_dir():
                raise SystemExit(f"{folder} is no folder; check the path")
        _measure(arguments, path)
    elif not path.exists():
        raise SystemExit(f"{path} does not exist; make it without --tables-only, or name its folder by --out")
    parts = table.sections(records.read(path))
    print("\n\n".join(parts.values()))
    write_page(arguments.page, parts)
    print(f"{path}\n{arguments.page}")
    return 0


def _measure(arguments: argparse.Namespace, path: Path) -> None:
    """Rows in order of cost, the cheap ones of all tracks first; each is in the record as soon as it is there."""
    from benchmarks.restoration.cell import Cell
    from benchmarks.restoration.methods import ABLATION, METHODS, is_seeded, on_track
    from benchmarks.restoration.noise import makes_noise, noise, summary_of_noise
    from benchmarks.restoration.pictures import strips_lack, write_strips
    from benchmarks.restoration.summary import summary
    from benchmarks.restoration.tracks import Track, make_tracks

    work, files = arguments.work.resolve(), arguments.metric_files.resolve()
    photographs, polyu = arguments.photographs.resolve(), arguments.polyu.resolve()
    record = _begun(path, arguments.steps)

    def cells_of(track: Track, method: str) -> list[Cell]:
        return [Cell(track, method, seed, arguments.steps, files) for seed in range(arguments.seeds)]

    def measure(track: Track, method: str, rows: dict[str, Any], row: str) -> None:
        cells = cells_of(track, method)
        is_new = row not in rows
        rows[row] = summary([cell.scores(work) for cell in cells])
        if is_new:
            record["minutes"] = round(record["minutes"] + sum(cell.minutes(work) for cell in cells), 1)
        records.write(path, record)
        told = ", ".join(f"{name} {values['mean']:.4g}" for name, values in rows[row].items())
        print(f"{track.name}, {row}: {told}", flush=True)

    tracks = make_tracks(arguments.tracks, photographs, polyu, work)
    for method in arguments.methods or METHODS:
        for track in tracks:
            if on_track(method, track.name):
                rows = record["tracks"].setdefault(track.name, {"methods": {}})
                measure(track, method, rows["methods"], method)
                if makes_noise(method):
                    cells = cells_of(track, method)[: None if is_seeded(method) else 1]
                    made = [noise(cell, work) for cell in cells]
                    rows.setdefault("noise", {})[method] = summary_of_noise(made)
                    records.write(path, record)
    if arguments.ablation:
        (track,) = make_tracks(["S_aim"], photographs, polyu, work)
        for row, method in ABLATION.items():
            measure(track, method, record["ablation"], row)
    if arguments.pictures is not None:
        for track in tracks:
            if lacking := strips_lack(track, work):
                print(f"{track.name}: no strips without {', '.join(lacking)}")
            else:
                write_strips(track, work, arguments.pictures / f"{track.name}.png")


def _require_known(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise SystemExit(f"{option} {unknown[0]}: is unknown; there are {', '.join(known)}")


def _begun(path: Path, steps: int) -> dict[str, Any]:
    """The record that is there, if it was made in the same way; else an empty one."""
    import torch

    made_by = {
        "command": "python -m benchmarks restoration",
        "machine": records.machine(),
        "threads": torch.get_num_threads(),
        "versions": records.versions(("torch",)),
        "steps": steps,
    }
    known = records.read(path) if path.exists() else {}
    if made_by.items() <= known.items():
        return known
    return {**made_by, "minutes": 0.0, "tracks": {}, "ablation": {}}
