"""A folder of a hundred malformed and odd files of twelve kinds: each is used or named, and none is a traceback."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.images.image_files import IMAGE_SUFFIXES
from tests.flowkit_deflow.conftest import Command

Generator = np.random.Generator
EACH = 9


def image(random: Generator, mode: str = "RGB") -> Image.Image:
    height, width = (int(side) for side in random.integers(1, 24, 2))
    return Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)


def saved(path: Path, random: Generator) -> bytes:
    image(random).save(path)
    return path.read_bytes()


def truncated(path: Path, random: Generator) -> None:
    content = saved(path, random)
    path.write_bytes(content[: int(random.integers(1, len(content)))])


def damaged(path: Path, random: Generator) -> None:
    content = np.frombuffer(saved(path, random), np.uint8).copy()
    content[random.integers(0, len(content), 4)] = random.integers(0, 256, 4)
    path.write_bytes(content.tobytes())


def another_suffix(path: Path, random: Generator) -> None:
    image(random).save(path, format=str(random.choice(["PNG", "JPEG", "BMP", "GIF", "TGA"])))


def odd_mode(path: Path, random: Generator) -> None:
    mode = str(random.choice(["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "I;16", "F", "YCbCr"]))
    source = image(random, "L" if mode in ("I;16", "F", "PA") else "RGB")
    source.convert(mode).save(path.with_suffix(".tif"))


def animated(path: Path, random: Generator) -> None:
    first = image(random)
    first.save(path.with_suffix(".webp"), save_all=True, append_images=[first.transpose(Image.Transpose.ROTATE_180)])


def deep(path: Path, random: Generator) -> None:
    kind = np.float32 if random.integers(2) else np.uint16
    values = random.uniform(-0.1, 1.1 if kind is np.float32 else 65535, (5, 4, int(random.integers(1, 6))))
    tifffile.imwrite(path.with_suffix(".tiff"), values.clip(0 if kind is np.uint16 else -1, None).astype(kind))


def with_profile(path: Path, random: Generator) -> None:
    image(random).save(path.with_suffix(".png"), icc_profile=random.bytes(int(random.integers(0, 300))))


def with_exif(path: Path, random: Generator) -> None:
    image(random).save(path.with_suffix(".jpg"), exif=b"Exif\0\0" + random.bytes(int(random.integers(0, 60))))


def promises_too_much(path: Path, random: Generator) -> None:
    """A PNG header of up to four thousand million pixels, and nothing behind it."""
    header = struct.pack(">IIBBBBB", *(int(side) for side in random.integers(1, 65536, 2)), 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)


def rubbish(path: Path, random: Generator) -> None:
    path.write_bytes(random.bytes(int(random.integers(0, 200))))


def not_read(path: Path, random: Generator) -> None:
    suffix = str(random.choice([".gif", ".tga", ".jp2", ".CR2", ".NEF", ".svg"]))
    path.with_suffix(suffix).write_bytes(random.bytes(50))


def long_name(path: Path, random: Generator) -> None:
    image(random).save(path.with_name(f"{path.stem}{'n' * int(random.integers(200, 240))}.png"))


KINDS: list[Callable[[Path, Generator], None]] = [
    truncated,
    damaged,
    another_suffix,
    odd_mode,
    animated,
    deep,
    with_profile,
    with_exif,
    promises_too_much,
    rubbish,
    not_read,
    long_name,
]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "in"
    folder.mkdir()
    for kind in KINDS:
        for number in range(EACH):
            suffix = str(random.choice([".png", ".jpg", ".bmp", ".tif", ".webp", ".ppm"]))
            kind(folder / f"{kind.__name__}_{number}{suffix}", random)
    return folder


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("more", [(), ("--format", "tif", "--bit-depth", 16, "--alpha", "keep", "--pages", "all")])
def test_each_file_is_used_or_named(deflow: Command, odd: Path, tmp_path: Path, more: tuple[object, ...]) -> None:
    WhiteNoise(0.1).save_pretrained(tmp_path / "model")
    files = [path for path in odd.iterdir() if path.is_file()]
    assert len(files) >= 100
    ended = deflow("degrade", tmp_path / "model", odd, tmp_path / "out", "--keep-suffix", "--samples", 10, *more)
    assert ended.status == 3, ended.err
    assert "Traceback" not in ended.err
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    done = [record for record in map(json.loads, lines) if "done" in record]
    used = {Path(record["source"]["path"]).name for record in done}
    assert all((tmp_path / "out" / result).is_file() for record in done for result in record["done"])
    assert len(used) > 40
    for path in files:
        if path.suffix.lower() in IMAGE_SUFFIXES:
            assert (path.name in used) != (str(path) in ended.err), path
        else:
            assert f" {path.suffix.lower()}: " in ended.err, path
