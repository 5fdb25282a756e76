"""Colour profiles of RGB spaces that are given by their primaries, and what such colours are in sRGB: by formula."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ADOBE_RGB", "DISPLAY_P3", "RgbSpace", "to_srgb_by_formula"]

Array = NDArray[np.float64]
D65, D50 = (0.3127, 0.3290), np.array([0.9642, 1.0, 0.8249])
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
# Bradford's cone responses, in which whites are adapted to each other (ICC.1:2022, annex E).
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
ENTRIES = 4096


def srgb_decoded(values: Array) -> Array:
    """sRGB's curve, to linear light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_encoded(light: Array) -> Array:
    """Its inverse."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


@dataclass(frozen=True)
class RgbSpace:
    """A space with the white D65.

    Attributes:
        name: the profile's description.
        primaries: chromaticities x, y of red, green and blue.
        gamma: of its curve; ``None`` for sRGB's.
    """

    name: str
    primaries: tuple[tuple[float, float], ...]
    gamma: float | None

    def decoded(self, values: Array) -> Array:
        """Linear light."""
        return srgb_decoded(values) if self.gamma is None else values**self.gamma

    def to_xyz(self) -> Array:
        """From linear light to XYZ, adapted to D50 as profiles have it."""

        def xyz(x: float, y: float) -> list[float]:
            return [x / y, 1.0, (1 - x - y) / y]

        columns = np.array([xyz(*primary) for primary in self.primaries]).T
        white = np.array(xyz(*D65))
        cones, target = BRADFORD @ white, BRADFORD @ D50
        adapted: Array = np.linalg.inv(BRADFORD) @ np.diag(target / cones) @ BRADFORD
        return adapted @ columns @ np.diag(np.linalg.solve(columns, white))

    def profile(self) -> bytes:
        """An ICC profile, version 2.1: three primaries and a curve (ICC.1:2001-04)."""
        red, green, blue = (self._xyz(column) for column in self.to_xyz().T)
        text = self.name.encode() + b"\0"
        description = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
        tags = {
            b"desc": description,
            b"cprt": b"text" + bytes(4) + b"none\0",
            b"wtpt": self._xyz(D50),
            b"rXYZ": red,
            b"gXYZ": green,
            b"bXYZ": blue,
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), self._curve()),
        }
        return self._assembled(tags)

    def _curve(self) -> bytes:
        levels = self.decoded(np.linspace(0, 1, ENTRIES))
        return (
            b"curv" + bytes(4) + struct.pack(f">I{ENTRIES}H", ENTRIES, *np.round(65535 * levels).astype(int).tolist())
        )

    @staticmethod
    def _xyz(values: Array) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * float(value)) for value in values))

    @staticmethod
    def _assembled(tags: dict[bytes, bytes]) -> bytes:
        at = 128 + 4 + 12 * len(tags)
        table, body = struct.pack(">I", len(tags)), b""
        for name, content in tags.items():
            table += name + struct.pack(">II", at + len(body), len(content))
            body += content + bytes(-len(content) % 4)
        header = struct.pack(">I4xI4s4s4s", at + len(body), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
        header += struct.pack(">6H", 2001, 4, 1, 0, 0, 0) + b"acsp" + bytes(28)
        header += struct.pack(">3i", *(round(65536 * float(value)) for value in D50))
        return header.ljust(128, b"\0") + table + body


ADOBE_RGB = RgbSpace("Adobe RGB (1998)", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 563 / 256)
DISPLAY_P3 = RgbSpace("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), None)
_SRGB = RgbSpace("sRGB", SRGB_PRIMARIES, None)


def to_srgb_by_formula(space: RgbSpace, values: Array) -> Array:
    """Values ``... x 3`` of a space in sRGB, cut to [0, 1]."""
    light = space.decoded(values) @ space.to_xyz().T @ np.linalg.inv(_SRGB.to_xyz()).T
    return srgb_encoded(light.clip(0, 1))
