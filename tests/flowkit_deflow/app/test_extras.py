"""Options that need a library of their own say so before any work is done."""

import sys
from pathlib import Path

import pytest

from flowkit_deflow.degraders.white_noise import WhiteNoise
from tests.flowkit_deflow.conftest import Command, Photos


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    WhiteNoise(0.1).save_pretrained(tmp_path / "noise")
    return tmp_path / "noise"


@pytest.mark.parametrize(
    ("command", "option", "library"),
    [("degrade", ("--ray", "local"), "ray"), ("pairs", ("--lmdb",), "lmdb")],
)
def test_a_missing_library_is_named_with_its_extra(
    command: str,
    option: tuple[str, ...],
    library: str,
    deflow: Command,
    photos: Photos,
    noise: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    ended = deflow(command, noise, photos.clean, tmp_path / "out", *option)
    assert ended.status == 2
    assert f"pip install 'flowkit-deflow[{library}]'" in ended.err
    assert not (tmp_path / "out").exists()


def test_shares_are_not_shared_out_again(deflow: Command, photos: Photos, noise: Path, tmp_path: Path) -> None:
    both = deflow("degrade", noise, photos.clean, tmp_path / "out", "--ray", "local", "--shard", "1/2")
    assert both.status == 2
    assert "--ray and --shard were both given" in both.err
