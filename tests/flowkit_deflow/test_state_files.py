import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.state_files import pickled, read_state, write_state

SUFFIXES = [".pth", ".pt", ".safetensors"]
STATE = {
    "single": torch.linspace(-1, 1, 6).reshape(2, 3),
    "half": torch.linspace(-1, 1, 5).half(),
    "brain": torch.linspace(-1, 1, 5).bfloat16(),
    "double": torch.linspace(-1, 1, 5).double(),
    "whole": torch.arange(4),
    "flag": torch.tensor(True),
    "none of them": torch.zeros(0, 3),
}


def older_format(state: object) -> bytes:
    """As PyTorch wrote pickles before 1.6."""
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        first[key].dtype == second[key].dtype and torch.equal(first[key], second[key]) for key in first
    )


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


class TestRoundTrip:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_bit_for_bit(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"weights{suffix}"
        write_state(path, STATE)
        assert equal(read_state(path), STATE)
        assert [file.name for file in tmp_path.iterdir()] == [path.name]

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_views_and_parameters(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"weights{suffix}"
        matrix = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
        write_state(path, {"transposed": matrix.T, "row": matrix[1], "whole": matrix})
        read = read_state(path)
        assert equal(read, {"transposed": matrix.detach().T, "row": matrix.detach()[1], "whole": matrix.detach()})
        assert not any(value.requires_grad for value in read.values())

    def test_the_pickles_of_older_programs(self, tmp_path: Path) -> None:
        (tmp_path / "old.pth").write_bytes(older_format(STATE))
        assert equal(read_state(tmp_path / "old.pth"), STATE)

    @pytest.mark.parametrize("suffix", ["", ".bin", ".ckpt"])
    def test_an_unknown_suffix(self, suffix: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="unknown suffix"):
            write_state(tmp_path / f"weights{suffix}", STATE)
        assert list(tmp_path.iterdir()) == []


class TestWrappers:
    @pytest.mark.parametrize("wrapper", ["params_ema", "params", "state_dict"])
    def test_the_usual_ones_are_taken_off(self, wrapper: str, tmp_path: Path) -> None:
        torch.save({wrapper: STATE, "iteration": 7}, tmp_path / "wrapped.pth")
        assert equal(read_state(tmp_path / "wrapped.pth"), STATE)

    def test_the_average_comes_first(self, tmp_path: Path) -> None:
        torch.save({"params": {"a": torch.zeros(1)}, "params_ema": {"a": torch.ones(1)}}, tmp_path / "both.pth")
        assert equal(read_state(tmp_path / "both.pth"), {"a": torch.ones(1)})

    def test_a_tensor_of_that_name_is_a_tensor(self, tmp_path: Path) -> None:
        state = {"params": torch.ones(2)}
        torch.save(state, tmp_path / "plain.pth")
        assert equal(read_state(tmp_path / "plain.pth"), state)


def message_about(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_state(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


class TestNothingIsRun:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize(
        "write",
        [pickled, older_format, pickle.dumps],
        ids=["as torch.save", "as the older torch.save", "bare"],
    )
    @pytest.mark.parametrize("place", ["value", "whole", "beside", "key"])
    def test_a_pickle_that_would_run_code(
        self, write: Callable[[object], bytes], place: str, suffix: str, tmp_path: Path
    ) -> None:
        bomb = Bomb(tmp_path / "marker")
        content: object = {
            "value": {"weight": bomb},
            "whole": bomb,
            "beside": {"state_dict": dict(STATE), "optimizer": bomb},
            "key": {bomb: torch.ones(1)},
        }[place]
        path = tmp_path / f"evil{suffix}"
        path.write_bytes(write(content))
        message = message_about(path)
        assert not (tmp_path / "marker").exists()
        if suffix != ".safetensors":
            assert "refused" in message

    def test_the_same_pickle_does_run_elsewhere(self, tmp_path: Path) -> None:
        # Otherwise the test above would show nothing.
        pickle.loads(pickle.dumps({"weight": Bomb(tmp_path / "marker")}))
        assert (tmp_path / "marker").exists()

    def test_a_whole_module_is_refused(self, tmp_path: Path) -> None:
        torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
        assert "save its state dict" in message_about(tmp_path / "module.pth")


class TestErrors:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_missing(self, suffix: str, tmp_path: Path) -> None:
        assert "no such file" in message_about(tmp_path / f"weights{suffix}")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "no such file" in message_about(tmp_path)

    @pytest.mark.parametrize(("suffix", "data"), [(".pth", pickled(STATE)), (".safetensors", save(STATE))])
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
    def test_truncated(self, suffix: str, data: bytes, share: float, tmp_path: Path) -> None:
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(data[: int(share * len(data))])
        message_about(path)

    @pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.99])
    def test_truncated_of_the_older_format(self, share: float, tmp_path: Path) -> None:
        data = older_format(STATE)
        (tmp_path / "old.pth").write_bytes(data[: int(share * len(data))])
        message_about(tmp_path / "old.pth")

    @pytest.mark.parametrize(
        ("suffix", "data"), [(".pth", pickled(STATE)), (".pth", older_format(STATE)), (".safetensors", save(STATE))]
    )
    @settings(deadline=None, max_examples=100)
    @given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
    def test_damage_is_told_or_goes_unseen(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        suffix: str,
        data: bytes,
        changes: list[tuple[float, int]],
    ) -> None:
        damaged = bytearray(data)
        for place, value in changes:
            damaged[int(place * len(data))] = value
        path = tmp_path_factory.mktemp("damaged", numbered=True) / f"weights{suffix}"
        path.write_bytes(damaged)
        # Any other exception would go through.
        try:
            state, message = read_state(path), str(path)
        except UserError as error:
            state, message = {}, str(error)
        assert str(path) in message
        assert "\n" not in message
        assert all(isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items())

    @pytest.mark.parametrize("data", [b"hello, world\n", b"{}", b"\x80\x02.", bytes(range(256)), b"PK\x03\x04"])
    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_something_else(self, data: bytes, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(data)
        message_about(path)

    @pytest.mark.parametrize(
        "content",
        [
            [torch.ones(1)],
            torch.ones(1),
            {},
            {"a": 1.0},
            {"a": torch.ones(1), "b": "text"},
            {"a": {"b": torch.ones(1)}},
            {1: torch.ones(1)},
            {"state_dict": {}},
            None,
        ],
        ids=repr,
    )
    def test_not_a_plain_state_dict(self, content: object, tmp_path: Path) -> None:
        torch.save(content, tmp_path / "other.pth")
        assert "not a plain state dict" in message_about(tmp_path / "other.pth")
