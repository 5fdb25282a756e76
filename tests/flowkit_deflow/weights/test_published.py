import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from flowkit import Bijector, ContextMap, bits_per_dim
from flowkit_deflow.errors import UserError
from flowkit_deflow.method.architecture import build_bijector, build_latents
from flowkit_deflow.method.latents import Domain, LatentModel
from flowkit_deflow.settings.presets import PRESETS
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.state_files import read_state, write_state
from flowkit_deflow.weights.published import from_published, published_shapes, to_published
from tests.flowkit_deflow.networks import TINY, dense

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
SCALES = [4, 8]

# What float32 on a CPU allows between two programs, as recorded with the data: latents and images absolutely,
# log-likelihoods (some thousands) relatively.
VALUES: dict[str, Any] = {"atol": 1e-4, "rtol": 0.0}
LOG_PROB: dict[str, Any] = {"atol": 0.0, "rtol": 1e-4}


class Network(NamedTuple):
    """A network with the recorded weights, and what the published program computed with them."""

    bijector: Bijector[Tensor, tuple[Tensor, ...]]
    latents: LatentModel
    weights: dict[str, Tensor]
    unused: dict[str, Tensor]
    tensors: dict[str, Tensor]

    @property
    def z(self) -> tuple[Tensor, ...]:
        """The recorded latents."""
        return self.tensors["latent.0"], self.tensors["latent.1"]

    def log_prob(self, domain: Any) -> Tensor:
        z, log_det = self.bijector(self.tensors["x"], self.tensors["lr"])
        return self.latents.log_prob(z, domain) + log_det


def architecture_of(scale: int) -> Architecture:
    recorded = json.loads((GOLDEN / f"scale{scale}.json").read_text())
    assert not recorded["correct_splits"]
    return Architecture(
        factor=recorded["scale"],
        levels=recorded["L"],
        steps=recorded["K"],
        plain_steps=recorded["additional_flow_no_affine"],
        hidden_channels=recorded["hidden_channels"],
        split_after=(1,),
        scale_eps=recorded["coupling_eps"],
        encoder_features=recorded["nf"],
        encoder_growth=recorded["gc"],
        encoder_blocks=recorded["nb"],
        stack_blocks=tuple(recorded["stack_blocks"]),
        bins=recorded["quant"],
    )


def empty(architecture: Architecture) -> tuple[Bijector[Tensor, tuple[Tensor, ...]], LatentModel]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_bijector(architecture).requires_grad_(False), build_latents(architecture).requires_grad_(False)


@cache
def network_of(scale: int) -> Network:
    bijector, latents = empty(architecture_of(scale))
    weights = load_file(GOLDEN / f"scale{scale}.weights.safetensors")
    unused = from_published(bijector, latents, weights)
    return Network(bijector, latents, weights, unused, load_file(GOLDEN / f"scale{scale}.tensors.safetensors"))


@pytest.fixture(params=SCALES, ids=lambda scale: f"scale{scale}")
def network(request: pytest.FixtureRequest) -> Network:
    return network_of(request.param)


class TestParity:
    @pytest.mark.parametrize(("scale", "names"), [(4, ("up2", "up1", "up0")), (8, ("up4", "up2", "up1"))])
    def test_features(self, scale: int, names: tuple[str, ...]) -> None:
        network = network_of(scale)
        assert isinstance(network.bijector, ContextMap)
        maps = dense(network.bijector.function(network.tensors["lr"]))
        assert len(maps) == len(names)
        for got, name in zip(maps, names, strict=True):
            torch.testing.assert_close(got, network.tensors[f"features.fea_{name}"], **VALUES)

    def test_latents(self, network: Network) -> None:
        z, _ = network.bijector(network.tensors["x"], network.tensors["lr"])
        assert len(z) == 2
        for got, expected in zip(z, network.z, strict=True):
            torch.testing.assert_close(got, expected, **VALUES)

    def test_log_prob_under_their_own_domains(self, network: Network) -> None:
        domains = network.tensors["domain"]
        assert set(domains.tolist()) == {0, 1}
        torch.testing.assert_close(network.log_prob(domains), network.tensors["log_prob"], **LOG_PROB)

    @pytest.mark.parametrize("domain", list(Domain))
    def test_log_prob_under_either_domain(self, network: Network, domain: Domain) -> None:
        expected = network.tensors[f"log_prob_domain{int(domain)}"]
        torch.testing.assert_close(network.log_prob(domain), expected, **LOG_PROB)

    def test_bits_per_pixel(self, network: Network) -> None:
        # The published figure is per pixel: that of three dimensions.
        x = network.tensors["x"]
        bits = 3 * bits_per_dim(network.log_prob(network.tensors["domain"]), x[0].numel())
        torch.testing.assert_close(bits, network.tensors["nll_bits_per_pixel"].to(bits), **LOG_PROB)

    @pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
    def test_degraded_images(self, network: Network, temperature: float) -> None:
        noise = network.tensors["shift_noise.0"], network.tensors["shift_noise.1"]
        expected = network.tensors[f"degraded.tau{temperature}"]
        bound = network.bijector.bind(network.tensors["lr"])
        # From the recorded latents, and end to end.
        for z in (network.z, bound(network.tensors["x"])[0]):
            images, _ = bound.inverse(network.latents.degrade(z, noise, temperature))
            torch.testing.assert_close(images, expected, **VALUES)

    def test_the_way_back(self, network: Network) -> None:
        for level, posterior in enumerate(network.latents.posterior(network.z)):
            torch.testing.assert_close(posterior.mean, network.tensors[f"restore_mean.{level}"], **VALUES)
            torch.testing.assert_close(posterior.covariance, network.tensors[f"restore_cov.{level}"], **VALUES)

    def test_here_the_map_is_exactly_invertible(self, network: Network) -> None:
        bound = network.bijector.bind(network.tensors["lr"])
        z, log_det = bound(network.tensors["x"])
        back, log_det_back = bound.inverse(z)
        # Float32 through 24 layers.
        torch.testing.assert_close(back, network.tensors["x"], atol=2e-5, rtol=0)
        torch.testing.assert_close(log_det_back, -log_det, atol=0, rtol=1e-5)


class TestRoundTrip:
    def test_every_key_bit_for_bit(self, network: Network) -> None:
        back = to_published(network.bijector, network.latents, network.unused)
        assert back.keys() == network.weights.keys()
        for key, value in back.items():
            assert value.dtype == network.weights[key].dtype, key
            assert torch.equal(value, network.weights[key]), key

    @pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
    def test_through_files(self, suffix: str, tmp_path: Path) -> None:
        network = network_of(4)
        path = tmp_path / f"checkpoint{suffix}"
        write_state(path, to_published(network.bijector, network.latents, network.unused))
        bijector, latents = empty(architecture_of(4))
        from_published(bijector, latents, read_state(path))
        x, lr = network.tensors["x"], network.tensors["lr"]
        for got, expected in zip(bijector(x, lr)[0], network.bijector(x, lr)[0], strict=True):
            assert torch.equal(got, expected)
        for own, other in zip(latents.shifts, network.latents.shifts, strict=True):
            assert torch.equal(own.mean, other.mean)
            assert torch.equal(own.factor, other.factor)

    def test_a_published_pickle(self, tmp_path: Path) -> None:
        # As the published program wrote them: torch.save of the state dict.
        weights = network_of(4).weights
        torch.save(weights, tmp_path / "published.pth")
        read = read_state(tmp_path / "published.pth")
        assert read.keys() == weights.keys()
        assert all(torch.equal(read[key], weights[key]) for key in weights)

    def test_what_is_not_used_becomes_zeros_if_it_is_not_given(self) -> None:
        network = network_of(4)
        back = to_published(network.bijector, network.latents)
        assert {key: value.shape for key, value in back.items()} == {k: v.shape for k, v in network.weights.items()}
        assert set(network.unused) == {"flowUpsamplerNet.f.0.weight", "flowUpsamplerNet.f.0.bias"}
        for key, value in back.items():
            expected = torch.zeros_like(value) if key in network.unused else network.weights[key]
            assert torch.equal(value, expected), key

    def test_what_comes_out_is_a_copy(self) -> None:
        network = network_of(4)
        for value in to_published(network.bijector, network.latents, network.unused).values():
            value.fill_(7)
        back = to_published(network.bijector, network.latents, network.unused)
        assert all(torch.equal(value, network.weights[key]) for key, value in back.items())

    def test_half_precision_is_widened(self) -> None:
        network = network_of(4)
        bijector, latents = empty(architecture_of(4))
        from_published(bijector, latents, {key: value.half() for key, value in network.weights.items()})
        back = to_published(bijector, latents)
        key = "RRDB.conv_first.weight"
        assert back[key].dtype == torch.float32
        assert torch.equal(back[key], network.weights[key].half().float())

    def test_the_other_layout_of_splits(self) -> None:
        # `correct_splits` of the published program: a split after every level but the last.
        bijector, latents = empty(replace(architecture_of(4), split_after=(1, 2)))
        state = to_published(bijector, latents)
        assert {value.shape for key, value in state.items() if key.endswith("mean_shift")} == {(6,), (12,), (48,)}
        from_published(bijector, latents, state)


class TestFullSize:
    @pytest.mark.parametrize("name", ["aim", "ntire"])
    def test_the_presets_have_the_published_keys_and_shapes(self, name: str) -> None:
        recorded = json.loads((GOLDEN / f"official_state_dict_{name}.json").read_text())
        expected = {key: tuple(shape) for key, shape in recorded.items()}
        assert published_shapes(*empty(PRESETS[name].architecture)) == expected


class TestOtherLayouts:
    """Checkpoints of networks that are not the presets', made up from the published program's rules."""

    WEIGHT, BIAS = "flowUpsamplerNet.f.0.weight", "flowUpsamplerNet.f.0.bias"

    def checkpoint(self, architecture: Architecture, unused: int) -> dict[str, Tensor]:
        """Random weights of this architecture; ``unused``: output channels of the layer that is never used."""
        bijector, latents = empty(architecture)
        generator = torch.Generator().manual_seed(0)
        state = to_published(bijector, latents)
        for key, value in state.items():
            if key.endswith(("mean_shift", "cov_shift", ".logs", "actnorm.bias")):
                value.copy_(0.1 * torch.randn(value.shape, generator=generator))
        features = 64 * (1 + len(architecture.stack_blocks))
        return state | {
            self.WEIGHT: torch.randn(unused, features, 3, 3, generator=generator),
            self.BIAS: torch.randn(unused, generator=generator),
        }

    @pytest.mark.parametrize(
        ("levels", "split_after", "unused"),
        [
            # One split after level 1 of 3, as in the presets.
            (3, (1,), 96),
            # `correct_splits`: after every level but the last.
            (3, (1, 2), 96),
            (2, (1,), 96),
            (4, (1, 2, 3), 96),
            # Splits enabled, and no level l < L - 1 that has one.
            (2, (), 96),
            # Splits disabled.
            (2, (), 384),
            (3, (), 384),
        ],
    )
    def test_every_layout_of_splits(self, levels: int, split_after: tuple[int, ...], unused: int) -> None:
        architecture = replace(architecture_of(4), levels=levels, split_after=split_after)
        state = self.checkpoint(architecture, unused)
        bijector, latents = empty(architecture)
        kept = from_published(bijector, latents, state)
        assert kept.keys() == {self.WEIGHT, self.BIAS}
        back = to_published(bijector, latents, kept)
        assert back.keys() == state.keys()
        assert all(torch.equal(value, state[key]) for key, value in back.items())

    @pytest.mark.parametrize(("split_after", "unused"), [((1,), 384), ((), 192)])
    def test_channels_that_no_layout_has(self, split_after: tuple[int, ...], unused: int) -> None:
        architecture = replace(architecture_of(4), levels=2, split_after=split_after)
        with pytest.raises(UserError, match=rf"f\.0\.(weight|bias)' has shape \({unused}"):
            from_published(*empty(architecture), self.checkpoint(architecture, unused))

    def test_a_checkpoint_of_data_parallel(self) -> None:
        weights = network_of(4).weights
        bijector, latents = empty(architecture_of(4))
        from_published(bijector, latents, {f"module.{key}": value for key, value in weights.items()})
        back = to_published(bijector, latents, network_of(4).unused)
        assert all(torch.equal(value, weights[key]) for key, value in back.items())

    def test_a_prefix_of_one_key_alone_is_an_unknown_key(self) -> None:
        weights = dict(network_of(4).weights)
        weights["module.I"] = weights.pop("I")
        with pytest.raises(UserError, match=r"unknown key 'module\.I'"):
            from_published(*empty(architecture_of(4)), weights)


class TestErrors:
    KEYS = (
        "RRDB.RRDB_trunk.1.RDB2.conv3.weight",
        "RRDB.HRconv.bias",
        "flowUpsamplerNet.f.0.bias",
        "I",
        "cov_shift",
        "mean_shift",
        "flowUpsamplerNet.layers.1.actnorm.logs",
        "flowUpsamplerNet.layers.1.invconv.p",
        "flowUpsamplerNet.layers.3.affine.fAffine.4.logs",
        "flowUpsamplerNet.layers.5.mean_shift",
        "flowUpsamplerNet.layers.5.conv.weight",
    )

    def refused(self, state: dict[str, Tensor], *parts: str) -> None:
        bijector, latents = empty(architecture_of(4))
        before = [value.clone() for part in (bijector, latents) for value in part.state_dict().values()]
        with pytest.raises(UserError) as error:
            from_published(bijector, latents, state)
        assert all(part in str(error.value) for part in parts), error.value
        assert "\n" not in str(error.value)
        # Nothing is half loaded.
        after = [value for part in (bijector, latents) for value in part.state_dict().values()]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    @pytest.mark.parametrize("key", KEYS)
    def test_a_missing_key(self, key: str) -> None:
        self.refused({k: v for k, v in network_of(4).weights.items() if k != key}, repr(key), "missing")

    @pytest.mark.parametrize("key", KEYS)
    def test_a_misshapen_key(self, key: str) -> None:
        weights = network_of(4).weights
        wrong = torch.zeros(*weights[key].shape, 2)
        self.refused(weights | {key: wrong}, repr(key), str(tuple(wrong.shape)), str(tuple(weights[key].shape)))

    @pytest.mark.parametrize("key", ["extra", "flowUpsamplerNet.layers.99.actnorm.bias", "RRDB.conv_first.weights"])
    def test_an_unknown_key(self, key: str) -> None:
        self.refused(network_of(4).weights | {key: torch.zeros(1)}, repr(key), "unknown")

    def test_a_permutation_that_is_none(self) -> None:
        key = "flowUpsamplerNet.layers.1.invconv.p"
        damaged = network_of(4).weights | {key: torch.full((12, 12), 0.5)}
        self.refused(damaged, repr(key), "permutation")

    def test_another_architecture(self) -> None:
        self.refused(network_of(8).weights, "is it of this architecture?")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"factor": None}, "no conditioning"),
            ({"shift": "uncorrelated"}, "correlated shifts only"),
            ({"shift": "none"}, "correlated shifts only"),
            ({"shift": "binned"}, "this model has a BinnedShift"),
            ({"shift": "brightness"}, "this model has a BrightnessShift"),
            # The published program would read a sigmoid's scales out of these weights.
            ({"scale": "bounded"}, "'sigmoid' only"),
            ({"coupling": "additive"}, "affine couplings"),
        ],
    )
    def test_what_the_published_format_cannot_hold(self, changes: dict[str, Any], reason: str) -> None:
        network = empty(replace(TINY, **({"scale": "sigmoid"} | changes)))
        with pytest.raises(UserError, match=reason):
            to_published(*network)
        with pytest.raises(UserError, match=reason):
            from_published(*network, {})
