"""Training restoration networks, whole and stopped."""

import csv
import itertools
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import Tensor

from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.feature_networks import vgg16, vgg19
from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.restoration.networks.rrdb_net import RRDBNet
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.restoration.training import feature_loss as feature_losses
from flowkit_deflow.restoration.training.clean_crops import CleanCrops
from flowkit_deflow.restoration.training.feature_loss import FeatureLoss, feature_loss
from flowkit_deflow.restoration.training.on_the_fly import ExtraNoise, OnTheFly
from flowkit_deflow.restoration.training.task import RestorerTask
from flowkit_deflow.restoration.training.trainer import train_restorer
from flowkit_deflow.settings.adversarial import TranslationNetwork
from flowkit_deflow.settings.restoration import RestorerArchitecture, RestorerLosses, RestorerRun
from flowkit_deflow.settings.restoration_presets import restorer_preset
from flowkit_deflow.settings.text import override
from flowkit_deflow.state_files import write_state
from tests.flowkit_deflow.conftest import Photos

Settings = Callable[..., RestorerRun]


@pytest.fixture(scope="module")
def noise_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("degrader") / "model"
    WhiteNoise(0.1).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small_photos(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clean photographs, half the size."""
    folder = tmp_path_factory.mktemp("small")
    for file in sorted(photos.clean.rglob("*.png")):
        write_image(folder / file.relative_to(photos.clean), bicubic_downsample(read_image(file), 2).clamp(0, 1))
    return folder


@pytest.fixture(scope="module")
def settings(photos: Photos, noise_model: Path) -> Settings:
    """The preset ``tiny`` for denoising, with changed settings."""

    def changed(*changes: str) -> RestorerRun:
        usual = ["scale=1", f"data.clean={photos.clean}", f"degrader={noise_model}", "accelerator=cpu"]
        return override(restorer_preset("tiny"), [*usual, *changes])

    return changed


def weights(restorer: Restorer) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in restorer.parameters()])


class TestCrops:
    def test_partners_are_cut_at_the_same_place_and_turned_alike(self, photos: Photos, small_photos: Path) -> None:
        crops = CleanCrops(photos.clean, small_photos, scale=2, side=16, batch=16, seed=0)
        batch = crops[3]
        assert batch["degraded"] is not None
        # Away from the crops' borders, which the filter sees beyond.
        again = bicubic_downsample(batch["clean"], 2)[..., 2:-2, 2:-2]
        # Both were rounded to 8 bits.
        assert (again - batch["degraded"][..., 2:-2, 2:-2]).abs().max() < 2 / 255

    def test_a_batch_is_a_function_of_the_seed_and_the_step(self, photos: Photos) -> None:
        def batch(seed: int, step: int) -> Tensor:
            return CleanCrops(photos.clean, None, scale=1, side=16, batch=2, seed=seed)[step]["clean"]

        assert torch.equal(batch(0, 5), batch(0, 5))
        assert not torch.equal(batch(0, 5), batch(0, 6))
        assert not torch.equal(batch(0, 5), batch(1, 5))

    def test_all_turns_occur(self, tmp_path: Path) -> None:
        image = torch.rand(3, 16, 16)
        write_image(tmp_path / "a.png", image)
        crops = CleanCrops(tmp_path, None, scale=1, side=16, batch=64, seed=0)[0]["clean"]
        assert len({tuple(crop.flatten().tolist()) for crop in crops}) == 8

    def test_what_cannot_be_used_is_named(self, photos: Photos, tmp_path: Path) -> None:
        write_image(tmp_path / "good.png", torch.rand(3, 32, 32))
        write_image(tmp_path / "small.png", torch.rand(3, 8, 32))
        (tmp_path / "damaged.png").write_bytes(b"no image")
        crops = CleanCrops(tmp_path, None, scale=1, side=16, batch=1, seed=0)
        assert len(crops.problems) == 2
        assert "32 x 8 pixels are too few for crops of 16" in crops.problems[1]
        with pytest.raises(UserError, match=r"damaged\.png"):
            CleanCrops(tmp_path, None, scale=1, side=16, batch=1, seed=0, strict=True)

    def test_partners_of_another_size_are_refused(self, photos: Photos, small_photos: Path) -> None:
        with pytest.raises(UserError, match="the clean image of a pair is 4 times as large"):
            CleanCrops(photos.clean, small_photos, scale=4, side=16, batch=1, seed=0)


def test_degraded_crops_are_drawn_anew_in_each_step_and_have_8_bits() -> None:
    make = OnTheFly(WhiteNoise(0.1), scale=2, temperature=(0.5, 1.0), seed=0)
    clean = torch.rand(2, 3, 16, 16)
    first = make(clean, step=1)
    assert torch.equal(first, make(clean, step=1))
    assert not torch.equal(first, make(clean, step=2))
    torch.testing.assert_close(255 * first, (255 * first).round())


def test_a_pipeline_that_makes_images_smaller_does_so_itself() -> None:
    clean = torch.rand(1, 3, 32, 32)
    assert OnTheFly(HandWritten("bsrgan", scale=4), 4, (1.0, 1.0), 0)(clean, 0).shape == (1, 3, 8, 8)
    with pytest.raises(UserError, match="makes images 4 times smaller, but the restorer enlarges them 2 times"):
        OnTheFly(HandWritten("bsrgan", scale=4), 2, (1.0, 1.0), 0)


class TestTraining:
    def test_it_learns_to_remove_noise(self, settings: Settings, photos: Photos, tmp_path: Path) -> None:
        run = settings(
            "training.steps=100", "batch=8", "learning_rate=3e-3", "checkpoint_every=100", "architecture.features=12"
        )
        restorer, problems = train_restorer(run, tmp_path / "run", progress=False)
        clean = torch.stack([read_image(file) for file in sorted(photos.clean.glob("*.png"))])
        noisy = WhiteNoise(0.1).degrade(clean, generator=torch.Generator().manual_seed(0))
        before, after = ((images - clean).square().mean() for images in (noisy, restorer.restore(noisy)))
        assert after < 0.75 * before
        assert problems == []

    @pytest.mark.parametrize(
        "changes",
        [(), ("adversarial=0.1", "discriminator=patch", "discriminator_features=4", "data.crop=32")],
        ids=["psnr", "adversarial"],
    )
    def test_a_stopped_run_ends_with_the_same_weights(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: tuple[str, ...]
    ) -> None:
        run = settings(*changes)
        whole, _ = train_restorer(run, tmp_path / "whole", progress=False)

        def stopping(self: OnTheFly, clean: Tensor, step: int) -> Tensor:
            if step == 5:
                raise KeyboardInterrupt
            return make(self, clean, step)

        make = OnTheFly.__call__
        monkeypatch.setattr(OnTheFly, "__call__", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_restorer(run, tmp_path / "stopped", progress=False)
        assert not (tmp_path / "stopped" / "model").exists()
        monkeypatch.setattr(OnTheFly, "__call__", make)
        resumed, _ = train_restorer(run, tmp_path / "stopped", progress=False)
        assert torch.equal(weights(resumed), weights(whole))
        checkpoint = torch.load(tmp_path / "stopped" / "checkpoints" / "last.ckpt", weights_only=True)
        assert checkpoint["global_step"] == 8

    def test_an_adversarial_loss_trains_the_discriminator_too(self, settings: Settings, tmp_path: Path) -> None:
        changes = ("adversarial=0.1", "discriminator=patch", "discriminator_features=4", "data.crop=32")
        train_restorer(settings(*changes), tmp_path / "run", progress=False)
        optimizers = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["optimizer_states"]
        assert [float(next(iter(state["state"].values()))["step"]) for state in optimizers] == [8, 8]

    def test_pairs_are_learned_from(self, photos: Photos, small_photos: Path, tmp_path: Path) -> None:
        changes = ["scale=2", f"data.clean={photos.clean}", f"data.degraded={small_photos}", "accelerator=cpu"]
        restorer, _ = train_restorer(override(restorer_preset("tiny"), changes), tmp_path / "run", progress=False)
        assert restorer.scale == 2
        assert Restorer.from_pretrained(tmp_path / "run" / "model").config == restorer.config

    def test_it_starts_from_published_weights(self, settings: Settings, tmp_path: Path) -> None:
        torch.manual_seed(0)
        write_state(tmp_path / "RRDB.pth", RRDBNet(4, features=8, blocks=1, growth=4).state_dict())
        asked = ("network=rrdb", "scale=4", "growth=4", f"training.weights={tmp_path / 'RRDB.pth'}", "training.steps=1")
        restorer, _ = train_restorer(settings(*asked), tmp_path / "run", progress=False)
        assert restorer.config.unshuffle == 1
        with pytest.raises(UserError, match=r"\(architecture\.features is 8, not 16\); set"):
            train_restorer(settings(*asked, "architecture.features=16"), tmp_path / "other", progress=False)

    def test_the_best_by_validation_is_kept(
        self, settings: Settings, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A learning rate at which the network gets worse than it was after a few steps.
        folders = (f"valid_degraded={photos.clean}", f"valid_clean={photos.clean}", "validate_every=1", "halve_at=[]")
        run = settings(*folders, "learning_rate=0.05", "checkpoint_every=8")
        best, _ = train_restorer(run, tmp_path / "run", progress=False)
        last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        of_last = torch.cat([value.flatten() for key, value in last.items() if key.startswith("task.generators.")])
        assert not torch.equal(weights(best), of_last)

        def error(values: Tensor) -> float:
            restorer = Restorer(run.architecture)
            torch.nn.utils.vector_to_parameters(values, restorer.parameters())
            images = torch.stack([read_image(file) for file in sorted(photos.clean.glob("*.png"))])
            return float((restorer.restore(images) - images).square().mean())

        assert error(weights(best)) < error(of_last)
        # Given again, the run still knows which was best.
        again, _ = train_restorer(run, tmp_path / "run", progress=False)
        assert torch.equal(weights(again), weights(best))

    def test_it_says_which_step_is_kept_and_why(
        self,
        settings: Settings,
        photos: Photos,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level("INFO", "flowkit_deflow")
        folders = (f"valid_degraded={photos.noisy}", f"valid_clean={photos.noisy}")
        run = settings(*folders, "training.judge=ssim", "learning_rate=0.01")
        train_restorer(run, tmp_path / "run")
        with (tmp_path / "run" / "log" / "scalars.csv").open() as file:
            logged = [row["ssim"] for row in csv.DictReader(file)]
        # The last that was measured.
        assert logged == [""] * 3 + [logged[3]] * 4 + [logged[7]]
        judged = {step: float(logged[step - 1]) for step in (4, 8)}
        best = max(judged, key=judged.__getitem__)
        chosen = f"The network is of step {best}: it is the best by ssim, {judged[best]:.4g}."
        assert chosen in caplog.messages
        assert f"Step 4 is judged: ssim, {judged[4]:.4g}, the best so far\n" in capsys.readouterr().out
        caplog.clear()
        # Given again, with nothing left to do.
        train_restorer(run, tmp_path / "run", progress=False)
        assert chosen in caplog.messages
        train_restorer(settings("training.steps=1"), tmp_path / "other", progress=False)
        assert "The network is of step 1, the last: no images were given to judge by (--valid-degraded)." in (
            caplog.messages
        )


class TestMistakes:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (("data.clean=null",), "no folder of clean images was given"),
            (("degrader=null",), "neither was given"),
            (("data.degraded=elsewhere",), "both were"),
            (("degrader=no/such",), "no/such: no such folder"),
            (("valid_degraded=elsewhere",), "setting 'training.judge' is 'psnr', which compares with clean images"),
            (("training.weights=no/such.pth",), "no/such.pth"),
            (("architecture.network=unet",), "'unet' is unknown"),
            (("losses.features=1", "feature_weights=no/such.pth"), "no/such.pth: no such file"),
            (("domain_weighted=true",), "a WhiteNoise has none; learn a degrader that has one with --degrader dasr"),
        ],
    )
    def test_a_mistake_is_told_before_anything_is_written(
        self, settings: Settings, tmp_path: Path, changes: tuple[str, ...], message: str
    ) -> None:
        with pytest.raises(UserError, match=message):
            train_restorer(settings(*changes), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()

    def test_validation_images_that_do_not_fit_are_told(
        self, settings: Settings, photos: Photos, small_photos: Path, tmp_path: Path
    ) -> None:
        small = (f"valid_degraded={small_photos}",)
        with pytest.raises(
            UserError, match=r"has 56 x 40 pixels, and .* will have 28 x 20 when it is restored at scale 1"
        ):
            train_restorer(settings(*small, f"valid_clean={photos.clean}"), tmp_path / "run", progress=False)
        with pytest.raises(UserError, match=r"none can be judged; .* 28 x 20 pixels are too few for NIQE"):
            train_restorer(settings(*small, "training.judge=niqe"), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()

    def test_a_damaged_validation_image_is_left_out_at_the_start_or_refused(
        self, settings: Settings, photos: Photos, tmp_path: Path
    ) -> None:
        folder = shutil.copytree(photos.clean, tmp_path / "valid")
        damaged = folder / "coffee_0.png"
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[: len(whole) // 2])  # Its header is good.
        run = settings(f"valid_degraded={folder}", f"valid_clean={photos.clean}")
        with pytest.raises(UserError, match=r"coffee_0\.png"):
            train_restorer(override(run, ["strict=true"]), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()
        _, (problem,) = train_restorer(run, tmp_path / "run", progress=False)
        assert str(damaged) in problem
        assert (tmp_path / "run" / "best").is_dir()

    def test_what_niqe_cannot_judge_is_left_out_and_told_of(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "niqe").mkdir()
        natural = {"mu_prisparam": np.zeros((1, 36)), "cov_prisparam": np.eye(36)}
        savemat(tmp_path / "niqe" / "modelparameters.mat", natural)
        monkeypatch.setenv("DEFLOW_METRICS", str(tmp_path))
        folder = tmp_path / "valid"
        noise = torch.rand(3, 96, 192, generator=torch.Generator().manual_seed(0))
        for name, image in {"flat": torch.full((3, 96, 192), 0.5), "one": noise[..., :150], "two": noise}.items():
            write_image(folder / f"{name}.png", image)
        # So small a rate that what is flat stays so.
        run = settings(f"valid_degraded={folder}", "training.judge=niqe", "learning_rate=1e-9", "training.steps=4")
        _, (one, flat) = train_restorer(run, tmp_path / "run", progress=False)
        assert "one.png: restored, its 150 x 96 pixels are too few for NIQE (LIVE's model), which needs" in one
        assert "flat.png: restored, it has no detail that NIQE (LIVE's model) could judge" in flat
        assert (tmp_path / "run" / "best").is_dir()
        with pytest.raises(UserError, match=r"one\.png: .* needs 96 on each side and 192 on the longer one; remove it"):
            train_restorer(override(run, ["strict=true"]), tmp_path / "other", progress=False)

    def test_a_run_keeps_its_settings(self, settings: Settings, tmp_path: Path) -> None:
        train_restorer(settings("training.steps=1"), tmp_path / "run", progress=False)
        with pytest.raises(UserError, match=r"other settings \(data\.crop was 16, now 32\)"):
            train_restorer(settings("training.steps=1", "data.crop=32"), tmp_path / "run", progress=False)

    def test_more_steps_lengthen_a_run(self, settings: Settings, tmp_path: Path) -> None:
        # A rate that is never halved is the same however long the run.
        for out, steps in (("run", 1), ("run", 3), ("whole", 3)):
            run = settings(f"training.steps={steps}", "training.halve_at=[]")
            train_restorer(run, tmp_path / out, progress=False)
        first, second = (tmp_path / out / "model" / "model.safetensors" for out in ("run", "whole"))
        assert first.read_bytes() == second.read_bytes()

    def test_a_run_that_diverged_goes_on_from_its_last_checkpoint_with_a_lower_rate(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        losses = RestorerTask.generator_losses
        step = itertools.count()

        def diverging(self: RestorerTask, made: Any) -> Mapping[str, Tensor]:
            right = losses(self, made)
            # Of the square root of zero, the gradient is not finite, and the loss is.
            return right if next(step) < 3 else {"l1": (right["l1"] - right["l1"].detach()).abs().sqrt()}

        monkeypatch.setattr(RestorerTask, "generator_losses", diverging)
        run = settings("training.steps=6", "checkpoint_every=1", "training.learning_rate=0.001")
        with pytest.raises(UserError, match=r"not finite at step 3; given again, the run goes on from step 3"):
            train_restorer(run, tmp_path / "run", progress=False)
        monkeypatch.undo()
        lower = settings("training.steps=6", "checkpoint_every=1", "training.learning_rate=0.0005")
        restorer, _ = train_restorer(lower, tmp_path / "run", progress=False)
        assert all(bool(value.isfinite().all()) for value in restorer.state_dict().values())
        with pytest.raises(UserError, match=r"learning_rate was 0\.0005, now 0\.01\)"):
            train_restorer(settings("training.steps=6", "learning_rate=0.01"), tmp_path / "run", progress=False)

    def test_a_run_that_diverges_at_once_says_what_to_do(self, settings: Settings, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"not finite at step .*lower (learning rate|training\.learning_rate)"):
            train_restorer(settings("learning_rate=1e30"), tmp_path / "run", progress=False)

    def test_the_vgg_discriminator_wants_its_crops(self) -> None:
        with pytest.raises(UserError, match="which takes crops of 128"):
            override(restorer_preset("tiny"), ["losses.adversarial=1"])

    @pytest.mark.parametrize(("name", "build"), [("vgg16", partial(vgg16, (28,))), ("vgg19", vgg19)])
    def test_the_loss_of_features_wants_its_crops(self, name: str, build: Callable[[], torch.nn.Module]) -> None:
        changes = ["losses.features=1", f"feature_network={name}"]
        with pytest.raises(UserError, match=r"crop is 12 and features .*, whose network takes crops of 16 pixels"):
            override(restorer_preset("tiny"), [*changes, "data.crop=12"])
        smallest = override(restorer_preset("tiny"), [*changes, "data.crop=16"]).data.crop
        assert build()(torch.rand(1, 3, smallest, smallest))[0].numel() > 0


class TestExtraNoise:
    def test_it_has_its_strength_and_depends_on_the_step_alone(self) -> None:
        crops = torch.full((4, 3, 64, 64), 128 / 255)
        noise = ExtraNoise(5 / 255, seed=0)
        noisy = noise(crops, 3)
        # Of 49,152 numbers the deviation is within 1 %; rounding to 8 bits adds 0.3 levels.
        assert float((noisy - crops).std()) == pytest.approx(5 / 255, rel=0.02)
        assert torch.equal((noisy * 255).round() / 255, noisy)
        assert torch.equal(noise(crops, 3), noisy)
        assert not torch.equal(noise(crops, 4), noisy)

    @pytest.mark.parametrize("in_pairs", [False, True])
    def test_it_is_added_whatever_made_the_crops(self, in_pairs: bool) -> None:
        restorer = Restorer(RestorerArchitecture("denoiser", scale=1, features=4, blocks=1))
        make = None if in_pairs else OnTheFly(WhiteNoise(0.0), 1, (1.0, 1.0), seed=0)
        task = RestorerTask(restorer, RestorerLosses(), make, ExtraNoise(0.1, seed=0), None, None)
        clean = torch.full((1, 3, 32, 32), 0.5)
        made = task.generate({"clean": clean, "degraded": clean if in_pairs else None, "problems": []}, 0)
        # An untrained denoiser changes nothing.
        assert (made.restored - clean).std().item() == pytest.approx(0.1, rel=0.1)

    @pytest.mark.parametrize("strength", ["-0.1", "20.0"])
    def test_one_that_is_negative_or_in_grey_levels_is_refused(self, strength: str) -> None:
        with pytest.raises(UserError, match=rf"extra_noise is {strength}; expected a standard deviation from 0 to 1"):
            override(restorer_preset("tiny"), [f"data.extra_noise={strength}"])


class TestDomainWeights:
    def test_what_does_not_look_degraded_does_not_count(self) -> None:
        def left_half(images: Tensor) -> Tensor:
            looks = torch.zeros(len(images), 1, *images.shape[-2:])
            looks[..., : images.shape[-1] // 2] = 1
            return looks

        restorer = Restorer(RestorerArchitecture("residual", scale=2, features=4, blocks=1))
        task = RestorerTask(restorer, RestorerLosses(), None, ExtraNoise(0.0, seed=0), None, None, left_half)
        clean, degraded = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 8, 8)

        def l1(clean: Tensor) -> float:
            made = task.generate({"clean": clean, "degraded": degraded, "problems": []}, 0)
            return task.generator_losses(made)["l1"].item()

        left, right = clean.clone(), clean.clone()
        # The map is interpolated to the clean image's size: around the middle it is neither 0 nor 1.
        left[..., :6] += 1
        right[..., 10:] += 1
        assert l1(right) == l1(clean) != l1(left)

    def test_features_are_weighted_alike(self) -> None:
        torch.manual_seed(0)
        loss = FeatureLoss(vgg16((2, 7)))
        images, references = torch.rand(2, 1, 3, 32, 32)
        alike = torch.full((1, 1, 32, 32), 0.25)
        assert loss(images, references, alike).item() == pytest.approx(loss(images, references).item() / 4)

    def test_a_network_is_trained_with_them(self, settings: Settings, tmp_path: Path) -> None:
        torch.manual_seed(0)
        dasr = DomainAwareTranslation(TranslationNetwork(4, 1, 4))
        for parameter in dasr.network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)  # An untrained one degrades nothing.
        dasr.save_pretrained(tmp_path / "dasr")
        run = settings(f"degrader={tmp_path / 'dasr'}", "training.steps=2")
        weighted, _ = train_restorer(override(run, ["domain_weighted=true"]), tmp_path / "weighted", progress=False)
        alike, _ = train_restorer(run, tmp_path / "alike", progress=False)
        assert not torch.equal(weights(weighted), weights(alike))


class TestFeatureLoss:
    def test_vgg19_is_read_from_torchvisions_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        torch.manual_seed(0)
        network = vgg19()
        # As torchvision names them, with the layers that classify.
        published = {key.replace("layers", "features"): value for key, value in network.state_dict().items()}
        write_state(tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth", published | {"classifier.6.bias": torch.zeros(1)})
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
        images, references = torch.rand(2, 1, 3, 32, 32)
        expected = (network(images)[0] - network(references)[0]).abs().mean()
        assert feature_loss(RestorerLosses(features=1))(images, references).item() == pytest.approx(expected.item())

    def test_weights_are_read_under_either_naming(self, tmp_path: Path) -> None:
        torch.manual_seed(0)
        network = vgg16((28,))
        counted: dict[str, Any] = {}
        for number, convolution in enumerate(network.convolutions):
            assert convolution.bias is not None
            counted |= {f"features.conv{number}.{name}": getattr(convolution, name) for name in ("weight", "bias")}
        write_state(tmp_path / "counted.safetensors", counted)
        layered = {key.replace("layers", "features"): value for key, value in network.state_dict().items()}
        write_state(tmp_path / "layered.pth", layered | {"classifier.0.bias": torch.zeros(1)})
        images, references = torch.rand(2, 1, 3, 32, 32)
        expected = (network(images)[0] - network(references)[0]).abs().mean()
        for name in ("counted.safetensors", "layered.pth"):
            settings = RestorerLosses(features=1, feature_network="vgg16", feature_weights=str(tmp_path / name))
            assert feature_loss(settings)(images, references).item() == pytest.approx(expected.item())

    def test_weights_of_another_network_are_refused(self, tmp_path: Path) -> None:
        write_state(tmp_path / "other.pth", {"features.0.weight": torch.zeros(64, 3, 11, 11)})
        settings = RestorerLosses(features=1, feature_weights=str(tmp_path / "other.pth"))
        with pytest.raises(UserError, match=r"features\.0\.weight.*expected \(64, 3, 3, 3\)"):
            feature_loss(settings)

    def test_missing_weights_are_told_and_found_in_the_folder_that_is_advised(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
        monkeypatch.setenv("DEFLOW_METRICS", str(tmp_path))
        advice = rf"{feature_losses.VGG19_FILE}.*DEFLOW_METRICS.*, or set losses\.feature_weights to the file"
        with pytest.raises(UserError, match=advice):
            feature_loss(RestorerLosses(features=1))
        published = {key.replace("layers", "features"): value for key, value in vgg19().state_dict().items()}
        write_state(tmp_path / feature_losses.VGG19_FILE, published)
        assert isinstance(feature_loss(RestorerLosses(features=1)), FeatureLoss)
