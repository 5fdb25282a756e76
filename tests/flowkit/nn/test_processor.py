from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from flowkit.nn import processor
from flowkit.nn.processor import mkl_is_slow, processor_vendor


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    processor_vendor.cache_clear()
    yield
    processor_vendor.cache_clear()


@pytest.mark.parametrize(
    ("lines", "vendor"),
    [
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n", "AuthenticAMD"),
        ("processor\t: 0\nvendor_id\t: GenuineIntel\n", "GenuineIntel"),
        ("processor\t: 0\nCPU implementer\t: 0x41\n", ""),
    ],
)
def test_linux_tells_the_vendor(lines: str, vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(lines)
    monkeypatch.setattr(processor, "Path", lambda _: told)
    assert processor_vendor() == vendor
    assert mkl_is_slow() == (vendor == "AuthenticAMD" and torch.backends.mkl.is_available())


def test_elsewhere_python_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "Path", lambda _: tmp_path / "none")
    monkeypatch.setattr(processor.platform, "processor", lambda: "AMD64 Family 25 Model 80 Stepping 0, AuthenticAMD")
    assert processor_vendor() == "AuthenticAMD"
