"""Settings of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.flowkit.installed import Install, installing


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    # The tensors are tiny: handing them to several threads costs many times what it saves.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Adds packages with plugins; nothing else is installed."""
    folder = tmp_path / "installed"
    folder.mkdir()
    with installing(folder, monkeypatch) as add:
        yield add
