import re

import pytest
import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.weights.rrdb_weights import load_rrdb, to_original_names

State = dict[str, Tensor]


def encoder_of(seed: int, blocks: int = 2, features: int = 6, scale: int = 4) -> RRDBEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return RRDBEncoder(scale, 3, features=features, growth=4, blocks=blocks, stack_blocks=(0,))


def newer_names(state: State) -> State:
    """The names of BasicSR and Real-ESRGAN."""
    renamed = {}
    for key, value in state.items():
        key = re.sub(r"RRDB_trunk\.(\d+)\.RDB(\d)", r"body.\1.rdb\2", key)
        key = key.replace("trunk_conv", "conv_body").replace("HRconv", "conv_hr")
        renamed[re.sub(r"upconv(\d)", r"conv_up\1", key)] = value
    return renamed


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


SOURCE = encoder_of(0).state_dict()


class TestLoad:
    @pytest.mark.parametrize("prefix", ["", "module.", "RRDB.", "generator.net."])
    @pytest.mark.parametrize("newer", [False, True])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
    def test_every_naming(self, prefix: str, newer: bool, dtype: torch.dtype) -> None:
        state = newer_names(SOURCE) if newer else SOURCE
        state = {key: value.to(dtype) for key, value in prefixed(state, prefix).items()}
        encoder = encoder_of(1)
        load_rrdb(encoder, state)
        loaded = encoder.state_dict()
        assert loaded.keys() == SOURCE.keys()
        for key, value in loaded.items():
            assert value.dtype == torch.float32
            assert torch.equal(value, SOURCE[key].to(dtype).float()), key

    def test_the_newer_names_differ(self) -> None:
        shared = newer_names(SOURCE).keys() & SOURCE.keys()
        assert shared == {f"{layer}.{part}" for layer in ("conv_first", "conv_last") for part in ("weight", "bias")}

    def test_what_stands_outside_the_prefix_is_left_out(self) -> None:
        encoder = encoder_of(1)
        load_rrdb(encoder, {"flow.weight": torch.ones(1), **prefixed(SOURCE, "RRDB.")})
        assert torch.equal(encoder.conv_first.weight, SOURCE["conv_first.weight"])


class TestErrors:
    def refused(self, state: State, *parts: str) -> None:
        encoder = encoder_of(1)
        before = {key: value.clone() for key, value in encoder.state_dict().items()}
        with pytest.raises(UserError) as error:
            load_rrdb(encoder, state)
        assert all(part in str(error.value) for part in parts), error.value
        assert "\n" not in str(error.value)
        # Nothing is half loaded.
        assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())

    @pytest.mark.parametrize("newer", [False, True])
    def test_an_unknown_key(self, newer: bool) -> None:
        state = newer_names(SOURCE) if newer else SOURCE
        self.refused(state | {"extra.weight": torch.ones(1)}, "unknown", "'extra.weight'")

    def test_a_missing_key(self) -> None:
        state = newer_names(SOURCE)
        del state["body.1.rdb3.conv5.bias"]
        self.refused(state, "missing", "'RRDB_trunk.1.RDB3.conv5.bias'")

    def test_a_misshapen_key(self) -> None:
        state = SOURCE | {"upconv2.weight": torch.ones(6, 5, 3, 3)}
        self.refused(state, "'upconv2.weight'", "(6, 5, 3, 3)", "(6, 6, 3, 3)")

    def test_an_encoder_of_more_blocks(self) -> None:
        self.refused(encoder_of(0, blocks=3).state_dict(), "RRDB_trunk.2.RDB1.conv1", "as many blocks")

    def test_an_encoder_of_another_scale(self) -> None:
        self.refused(encoder_of(0, scale=8).state_dict(), "unknown", "upconv3")

    def test_an_encoder_of_another_width(self) -> None:
        self.refused(encoder_of(0, features=8).state_dict(), "conv_first.weight", "encoder_features")

    def test_other_weights(self) -> None:
        self.refused({"layer.weight": torch.ones(1)}, "no RRDB weights")


def test_names_that_no_naming_knows_stay() -> None:
    state = {"conv_first.weight": torch.ones(1), "body.x": torch.ones(1)}
    assert list(to_original_names(state)) == ["conv_first.weight", "body.x"]
