import json
from pathlib import Path

import pytest
import torch

from flowkit_deflow.degraders.degrader import Degrader, SupportsDegrade, TiledDegrader
from flowkit_deflow.degraders.registry import DEGRADERS, load_degrader
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from tests.flowkit_deflow.degraders.kinds import FIXED, MAKE, seeded
from tests.flowkit_deflow.networks import crops


def test_every_kind_is_tried() -> None:
    assert MAKE.keys() == DEGRADERS.keys()


@pytest.mark.parametrize("kind", DEGRADERS)
class TestEveryKind:
    def test_it_is_known_by_its_name(self, kind: str) -> None:
        assert DEGRADERS[kind].kind == kind
        assert isinstance(MAKE[kind](), DEGRADERS[kind])
        assert isinstance(MAKE[kind](), SupportsDegrade)

    def test_shapes_range_and_randomness(self, kind: str) -> None:
        degrader: Degrader = MAKE[kind]()
        images = crops(2, 17)
        one, three = degrader.degrade(images, generator=seeded()), degrader.degrade(images, samples=3)
        assert one.shape == images.shape
        assert three.shape == (3, *images.shape)
        assert all(result.min() >= 0 and result.max() <= 1 for result in (one, three))
        assert torch.equal(degrader.degrade(images, generator=seeded()), one)
        assert torch.equal(degrader.degrade(images, generator=seeded(1)), one) == (kind in FIXED)
        assert torch.equal(three[0], three[1]) == (kind in FIXED)
        # At temperature 0 nothing is degraded; DeFlow goes there and back in float32.
        torch.testing.assert_close(degrader.degrade(images, 0.0), images, atol=1e-4, rtol=0)

    def test_through_a_folder_of_the_common_format(self, kind: str, tmp_path: Path) -> None:
        degrader: Degrader = MAKE[kind]()
        degrader.save_pretrained(tmp_path / "model")
        assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
        config = json.loads((tmp_path / "model" / "config.json").read_text())
        assert config.keys() == {"format", "kind", "settings"}
        assert config["kind"] == kind
        loaded, images = load_degrader(tmp_path / "model"), crops(2, 17)
        assert type(loaded) is DEGRADERS[kind]
        assert torch.equal(loaded.degrade(images, generator=seeded()), degrader.degrade(images, generator=seeded()))

    def test_a_folder_of_another_kind_is_refused(self, kind: str, tmp_path: Path) -> None:
        MAKE[kind]().save_pretrained(tmp_path / "model")
        for other in DEGRADERS.keys() - {kind}:
            with pytest.raises(UserError, match=f"config.json: is a model of the kind '{kind}', expected '{other}'"):
                DEGRADERS[other].from_pretrained(tmp_path / "model")


def test_only_some_work_in_tiles() -> None:
    assert isinstance(MAKE["deflow"](), TiledDegrader)
    assert not isinstance(MAKE["white-noise"](), TiledDegrader)


def test_a_kind_that_is_unknown_is_named(tmp_path: Path) -> None:
    WhiteNoise(0.1).save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(path.read_text().replace("white-noise", "pink-noise"))
    with pytest.raises(UserError, match="of the kind 'pink-noise', which is unknown here; there are: deflow, white-"):
        load_degrader(tmp_path / "model")


def test_deflow_is_deflow() -> None:
    assert DEGRADERS["deflow"] is DeFlow
