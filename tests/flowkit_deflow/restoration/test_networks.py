"""Restoration networks and what applies them."""

from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.errors import UserError
from flowkit_deflow.restoration.networks import registry, spandrel_network
from flowkit_deflow.restoration.networks.denoiser import Denoiser
from flowkit_deflow.restoration.networks.network import RestorationNetwork
from flowkit_deflow.restoration.networks.registry import NETWORKS, build_network
from flowkit_deflow.restoration.networks.rrdb_net import RRDBNet
from flowkit_deflow.restoration.published import load_restorer, rrdb_restorer
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.settings.restoration import RestorerArchitecture
from flowkit_deflow.state_files import write_state

SMALL = [
    RestorerArchitecture("residual", scale=1, features=6, blocks=2),
    RestorerArchitecture("residual", scale=3, features=6, blocks=2),
    RestorerArchitecture("denoiser", scale=1, features=6, blocks=2),
    *(RestorerArchitecture("rrdb", scale, features=6, blocks=1, growth=4) for scale in (1, 2, 4)),
]


def randomised(architecture: RestorerArchitecture) -> Restorer:
    """Every weight matters, those that start at zero too."""
    torch.manual_seed(0)
    restorer = Restorer(architecture).double().eval()
    for parameter in restorer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return restorer


def some_images(height: int = 13, width: int = 21) -> Tensor:
    return torch.rand(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", SMALL, ids=str)
def test_any_size_is_restored_to_its_scale(architecture: RestorerArchitecture) -> None:
    restored = randomised(architecture).restore(some_images())
    assert restored.shape == (2, 3, 13 * architecture.scale, 21 * architecture.scale)
    assert 0 <= float(restored.min()) <= float(restored.max()) <= 1


# An RRDBNet's margin covers one block of this size, too.
@pytest.mark.parametrize("architecture", SMALL, ids=str)
def test_tiles_make_no_difference(architecture: RestorerArchitecture) -> None:
    restorer, images = randomised(architecture), some_images(25, 34)[:1]
    torch.testing.assert_close(restorer.restore(images, tile=8), restorer.restore(images), rtol=0, atol=1e-12)


def test_a_denoiser_soon_finds_weak_noise() -> None:
    # Of 4 grey levels, about a smooth picture: with input and output at their own scales it found none in 1,000 steps.
    torch.manual_seed(0)
    network = Denoiser(features=16, blocks=2)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    waves = torch.linspace(0, 6, 32).sin()
    clean = (0.5 + 0.3 * waves[:, None] * waves).expand(8, 3, 32, 32)
    for _ in range(150):
        noisy = clean + 4 / 255 * torch.randn(clean.shape)
        optimiser.zero_grad()
        loss = F.l1_loss(network(noisy), clean)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.8 * F.l1_loss(noisy, clean).item()


@pytest.mark.parametrize("architecture", SMALL[:3], ids=str)
def test_an_untrained_small_network_enlarges(architecture: RestorerArchitecture) -> None:
    images = some_images().float()
    enlarged = F.interpolate(images, scale_factor=architecture.scale, mode="nearest")
    assert torch.equal(Restorer(architecture).restore(images), enlarged)


@pytest.mark.parametrize("architecture", SMALL, ids=str)
def test_a_folder_gives_it_back(architecture: RestorerArchitecture, tmp_path: Path) -> None:
    restorer = randomised(architecture).float()
    restorer.save_pretrained(tmp_path / "model")
    images = some_images().float()
    assert torch.equal(Restorer.from_pretrained(tmp_path / "model").restore(images), restorer.restore(images))


def plain_rrdb_net(state: dict[str, Tensor], x: Tensor, blocks: int, enlargements: int) -> Tensor:
    """ESRGAN's generator as its paper draws it, layer by layer from the weights' names."""

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    first = x = conv("conv_first", x)
    for block in range(blocks):
        entering = x
        for dense in (1, 2, 3):
            seen = [x]
            for number in (1, 2, 3, 4):
                name = f"RRDB_trunk.{block}.RDB{dense}.conv{number}"
                seen.append(F.leaky_relu(conv(name, torch.cat(seen, 1)), 0.2))
            x = x + 0.2 * conv(f"RRDB_trunk.{block}.RDB{dense}.conv5", torch.cat(seen, 1))
        x = entering + 0.2 * x
    x = first + conv("trunk_conv", x)
    for number in range(1, enlargements + 1):
        x = F.leaky_relu(conv(f"upconv{number}", F.interpolate(x, scale_factor=2)), 0.2)
    return conv("conv_last", F.leaky_relu(conv("HRconv", x), 0.2))


class TestPublishedWeights:
    def test_the_network_is_esrgans(self) -> None:
        network = randomised(RestorerArchitecture("rrdb", 4, features=6, blocks=2, growth=4)).network
        images = some_images()
        with torch.no_grad():
            expected = plain_rrdb_net(network.state_dict(), images, blocks=2, enlargements=2)
            torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-12)

    @pytest.mark.parametrize(("scale", "unshuffle"), [(4, 1), (2, 1), (2, 2), (1, 4), (8, 1)])
    def test_sizes_are_read_off_the_weights(self, scale: int, unshuffle: int, tmp_path: Path) -> None:
        torch.manual_seed(0)
        network = RRDBNet(scale, features=8, blocks=2, growth=4, unshuffle=unshuffle)
        restorer = rrdb_restorer(network.state_dict(), "weights")
        assert restorer.config == RestorerArchitecture("rrdb", scale, 8, 2, 4, unshuffle)
        images = some_images(9, 11).float()
        expected = network(images).clamp(0, 1)
        assert torch.allclose(restorer.restore(images), expected, atol=1e-6)
        restorer.save_pretrained(tmp_path / "model")
        assert torch.equal(load_restorer(tmp_path / "model").restore(images), restorer.restore(images))

    def test_the_newer_names_are_read(self, tmp_path: Path) -> None:
        network = RRDBNet(4, features=8, blocks=1, growth=4)
        newer = {
            key.replace("RRDB_trunk", "body")
            .replace("RDB", "rdb")
            .replace("trunk_conv", "conv_body")
            .replace("upconv", "conv_up")
            .replace("HRconv", "conv_hr"): value
            for key, value in network.state_dict().items()
        }
        write_state(tmp_path / "weights.pth", newer)
        images = some_images().float()
        expected = rrdb_restorer(network.state_dict(), "weights").restore(images)
        assert torch.equal(load_restorer(tmp_path / "weights.pth").restore(images), expected)

    @pytest.mark.parametrize(("scale", "layers"), [(1, (2, 4)), (2, (3, 5, 7)), (4, (3, 6, 8, 10))])
    def test_the_older_names_are_read(self, scale: int, layers: tuple[int, ...], tmp_path: Path) -> None:
        network = RRDBNet(scale, features=8, blocks=2, growth=4, unshuffle=1)
        later = [*(f"upconv{number}" for number in range(1, len(layers) - 1)), "HRconv", "conv_last"]
        numbers = {"conv_first": "0", "trunk_conv": "1.sub.2", **dict(zip(later, map(str, layers), strict=True))}
        older = {}
        for key, value in network.state_dict().items():
            layer, name = key.rsplit(".", 1)
            layer = numbers.get(layer) or f"{layer.replace('RRDB_trunk', '1.sub')}.0"
            older[f"module.model.{layer}.{name}"] = value
        write_state(tmp_path / "weights.pth", older)
        restorer = load_restorer(tmp_path / "weights.pth")
        assert restorer.config == RestorerArchitecture("rrdb", scale, 8, 2, 4, 1)
        images = some_images().float()
        assert torch.allclose(restorer.restore(images), network(images).clamp(0, 1), atol=1e-6)

    def test_weights_of_something_else_are_refused(self) -> None:
        state = RRDBNet(4, features=8, blocks=1, growth=4).state_dict()
        del state["HRconv.bias"]
        with pytest.raises(UserError, match=r"HRconv\.bias' is missing"):
            rrdb_restorer(state, "weights")
        with pytest.raises(UserError, match="holds no RRDB blocks"):
            rrdb_restorer({"conv_first.weight": torch.zeros(8, 3, 3, 3)}, "weights")

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("conv_first.weight", torch.zeros(8), "holds no RRDB blocks"),
            ("conv_first.weight", torch.zeros(8, 0, 3, 3), "of 0 channels"),
            ("conv_first.weight", torch.zeros(8, 768, 3, 3), "of 768 channels"),
            ("RRDB_trunk.0.RDB1.conv1.weight", torch.zeros(()), "holds no RRDB blocks"),
            ("RRDB_trunk.99999999.RDB1.conv1.weight", torch.zeros(4, 8, 3, 3), r"are numbered \[0, 99999999\]"),
        ],
    )
    def test_weights_of_no_such_network_are_told_before_one_is_built(
        self, key: str, value: Tensor, message: str
    ) -> None:
        state = RRDBNet(4, features=8, blocks=1, growth=4).state_dict() | {key: value}
        with pytest.raises(UserError, match=message):
            rrdb_restorer(state, "weights")

    def test_a_network_that_would_make_images_smaller_is_none(self) -> None:
        state = RRDBNet(2, features=8, blocks=1, growth=4, unshuffle=2).state_dict()
        with pytest.raises(UserError, match="makes images of no smaller size"):
            rrdb_restorer({key: value for key, value in state.items() if "upconv" not in key}, "weights")


class Enlarged(nn.Module):
    """A network without weights."""

    scale, margin, alignment = 2, 1, 1

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.interpolate(images, scale_factor=2)


def test_a_network_may_have_no_weights() -> None:
    images = some_images(9, 11).float()
    restorer = Restorer(RestorerArchitecture("enlarged", 2), Enlarged())  # type: ignore[arg-type]
    assert torch.equal(restorer.restore(images), Enlarged()(images).clamp(0, 1))


@pytest.fixture(scope="module")
def spandrel() -> ModuleType:
    try:
        import spandrel
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"spandrel cannot be imported, which no test environment installs: {error}")
    module: ModuleType = spandrel
    return module


class TestSpandrel:
    def test_what_it_knows_is_applied(self, spandrel: ModuleType, tmp_path: Path) -> None:
        from spandrel.architectures.Compact import Compact
        from spandrel.architectures.SwinIR import SwinIR

        torch.manual_seed(0)
        small = {"embed_dim": 6, "depths": [1], "num_heads": [2], "window_size": 4, "img_size": 16}
        networks = {
            "compact": Compact(num_feat=6, num_conv=1, upscale=2),
            "swinir": SwinIR(**small, upscale=2, upsampler="pixelshuffle"),
        }
        images = some_images().float()
        for name, network in networks.items():
            write_state(tmp_path / f"{name}.pth", network.state_dict())
            restorer = load_restorer(tmp_path / f"{name}.pth")
            restored = restorer.restore(images)
            assert restored.shape == (2, 3, 26, 42)
            # SwinIR's windows are 4 pixels wide, and the images were continued to fill the last one.
            whole = F.pad(images, (0, 3, 0, 3), mode="reflect") if name == "swinir" else images
            expected = network.eval()(whole)[..., :26, :42].clamp(0, 1)
            torch.testing.assert_close(restored[..., :24, :40], expected[..., :24, :40])
            assert restorer.restore(images, tile=8).shape == restored.shape

    def test_what_it_does_not_know_is_told(self, spandrel: ModuleType, tmp_path: Path) -> None:
        write_state(tmp_path / "other.pth", {"layer.weight": torch.zeros(3)})
        with pytest.raises(UserError, match=r"other\.pth: holds the weights of no network that is known here"):
            load_restorer(tmp_path / "other.pth")

    def test_grey_networks_are_refused(self, spandrel: ModuleType, tmp_path: Path) -> None:
        from spandrel.architectures.Compact import Compact

        write_state(tmp_path / "grey.pth", Compact(num_in_ch=1, num_out_ch=1, num_feat=6, num_conv=1).state_dict())
        with pytest.raises(UserError, match="makes 1 channels of 1; give one for RGB images"):
            load_restorer(tmp_path / "grey.pth")


def test_weights_that_spandrel_would_know_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spandrel_network, "find_spec", lambda name: None)
    write_state(tmp_path / "other.pth", {"layer.weight": torch.zeros(3)})
    with pytest.raises(UserError, match=r"pip install 'flowkit-deflow\[spandrel\]'"):
        load_restorer(tmp_path / "other.pth")


class Doubling(RestorationNetwork):
    """A network of another distribution."""

    scale, margin = 2, 1

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(images, scale_factor=2)


class TestRegistry:
    def test_a_plugin_is_found_by_its_entry_point(self, monkeypatch: pytest.MonkeyPatch) -> None:
        point = EntryPoint("doubling", f"{__name__}:doubling", registry.PLUGINS)
        monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.PLUGINS else [])
        assert isinstance(build_network(RestorerArchitecture("doubling", scale=2)), Doubling)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("no_such_module:build", r"'no_such_module:build': cannot be loaded \(No module named"),
            (f"{__name__}:no_such_function", "cannot be loaded"),
            (f"{__name__}:without_settings", r"cannot be made with these settings \(without_settings\(\) takes 0"),
            (f"{__name__}:plain_module", "what it makes has no whole number 'margin'; derive it from .*Network"),
            (f"{__name__}:doubling", r"enlarges 2 times; set architecture\.scale to 2"),
        ],
    )
    def test_what_is_wrong_with_a_plugin_is_told_with_its_entry_point(
        self, monkeypatch: pytest.MonkeyPatch, value: str, message: str
    ) -> None:
        point = EntryPoint("another", value, registry.PLUGINS)
        monkeypatch.setattr(registry, "entry_points", lambda group: [point])
        with pytest.raises(UserError, match=message) as told:
            build_network(RestorerArchitecture("another", scale=4))
        assert f"restoration network 'another', entry point '{value}'" in str(told.value)

    def test_an_unknown_network_is_told(self) -> None:
        with pytest.raises(UserError, match="'unet' is unknown; there are: residual, rrdb, denoiser"):
            build_network(RestorerArchitecture("unet"))

    def test_a_denoiser_does_not_enlarge(self) -> None:
        with pytest.raises(UserError, match="works at scale 1 alone"):
            build_network(RestorerArchitecture("denoiser", scale=4))

    def test_every_network_is_tested(self) -> None:
        assert {architecture.network for architecture in SMALL} == set(NETWORKS)


def doubling(settings: RestorerArchitecture) -> RestorationNetwork:
    return Doubling()


def without_settings() -> RestorationNetwork:
    return Doubling()


def plain_module(settings: RestorerArchitecture) -> torch.nn.Module:
    module = torch.nn.Conv2d(3, 3, 3, padding=1)
    module.scale = 4  # type: ignore[assignment]
    return module
