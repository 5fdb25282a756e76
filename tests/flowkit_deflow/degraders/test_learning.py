"""Learning degraders from two folders: each moves its figures the right way."""

import math
import re
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation
from flowkit_deflow.degraders.camera_noise import CameraNoise
from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.kernel_gan import SIDE, centred, compose, estimate_kernel
from flowkit_deflow.degraders.learning.learn import learn_by
from flowkit_deflow.degraders.learning.registry import LEARNERS
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.blur_kernels import apply_kernel, read_kernels
from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.images.kernel_beyond_bicubic import beyond_bicubic
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.settings.degraders import KernelEstimation
from flowkit_deflow.settings.presets import preset
from flowkit_deflow.settings.text import assignments, override, to_dict
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.conftest import Command, Photos

SIGMA = 0.1
SHORT = [
    *("training.steps=40", "training.batch=4", "learning_rate=3e-3", "discriminator_features=8"),
    *("training.workers=0", "training.accelerator=cpu", "checkpoint_every=20"),
]
# For a run so short, the discriminator counts for more.
ADVERSARIAL = {
    "frequency_separation": ["losses.adversarial=0.1"],
    "dasr": ["losses.adversarial=0.1"],
    "cyclegan": ["losses.cycle=1", "losses.identity=0"],
    "pdm": [],
}


def smooth(seed: int, side: int = 64) -> Tensor:
    """A picture of slopes."""
    rows, columns, level = torch.rand(3, 3, 1, 1, generator=seeded_generator(seed, "picture"))
    axis = torch.linspace(-0.15, 0.15, side)
    return 0.35 + 0.3 * level + rows * axis[:, None] + columns * axis


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Smooth pictures, and others with white noise."""
    root = tmp_path_factory.mktemp("folders")
    for number in range(10):
        write_image(root / "clean" / f"{number}.png", smooth(number))
        noise = torch.randn(3, 64, 64, generator=seeded_generator(number, "noise"))
        write_image(root / "noisy" / f"{number}.png", smooth(100 + number) + SIGMA * noise)
    return Photos(root / "clean", root / "noisy")


def learned(kind: str, folders: Photos, out: Path, *changes: str) -> Degrader:
    learner = LEARNERS[kind]
    given = assignments({"data.clean": folders.clean, "data.degraded": folders.noisy})
    run = override(learner.preset(None), [*given, *changes])
    return learn_by(learner, run, out, progress=False).degrader


def added_std(degrader: Degrader) -> float:
    """Standard deviation of what is added to smooth pictures that were not learned from."""
    images = torch.stack([smooth(200 + number) for number in range(4)])
    added = degrader.degrade(images, generator=torch.Generator().manual_seed(0)) - images
    return float((added - added.mean((2, 3), keepdim=True)).std())


class TestClosedForm:
    def test_none_adds_nothing(self, folders: Photos, tmp_path: Path) -> None:
        assert added_std(learned("none", folders, tmp_path)) == 0

    def test_white_noise_is_estimated_from_the_degraded_images(self, folders: Photos, tmp_path: Path) -> None:
        assert added_std(learned("white", folders, tmp_path)) == pytest.approx(SIGMA, rel=0.1)

    @pytest.mark.parametrize(
        ("changes", "sigma"), [(["sigma=0.04"], (0.04, 0.04)), (["sigma=0.04", "uniform=true"], (0, 0.04))]
    )
    def test_white_noise_of_a_given_strength_needs_no_images(
        self, tmp_path: Path, changes: list[str], sigma: tuple[float, float]
    ) -> None:
        learner = LEARNERS["white"]
        degrader = learn_by(learner, override(learner.preset(None), changes), tmp_path, progress=False).degrader
        assert isinstance(degrader, WhiteNoise)
        assert (degrader.low, degrader.high) == sigma

    def test_camera_noise_is_what_the_degraded_images_have_more(self, folders: Photos, tmp_path: Path) -> None:
        degrader = learned("camera", folders, tmp_path)
        assert isinstance(degrader, CameraNoise)
        assert added_std(degrader) == pytest.approx(SIGMA, rel=0.1)

    def test_what_was_measured_is_told(self, folders: Photos, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="flowkit_deflow"):
            learned("camera", folders, tmp_path / "camera")
            learned("camera", Photos(folders.noisy, folders.clean), tmp_path / "swapped")
        assert re.fullmatch(r"Noise at flat places: \d+\.\d grey levels", caplog.messages[0])
        assert "0.0 grey levels, so that next to nothing is added; are the folders right?" in caplog.messages[1]

    def test_impressionism_collects_noise(self, folders: Photos, tmp_path: Path) -> None:
        # All of a smooth picture's patches are noise; the flattest of them have a little less slope.
        degrader = learned("impressionism", folders, tmp_path, "patches.side=16")
        assert isinstance(degrader, NoiseInjection)
        assert added_std(degrader) == pytest.approx(SIGMA, rel=0.15)

    def test_impressionism_takes_kernels_that_are_there(self, folders: Photos, tmp_path: Path) -> None:
        kernels = tmp_path / "kernels"
        kernels.mkdir()
        (kernels / "box.csv").write_text("1,1,1\n1,1,1\n1,1,1\n")
        degrader = learned("impressionism", folders, tmp_path / "run", "patches.side=16", f"kernel_folder={kernels}")
        assert isinstance(degrader, NoiseInjection)
        # What they blur beyond bicubic downsampling by 2.
        (kernel,) = degrader.kernels
        torch.testing.assert_close(kernel, beyond_bicubic(torch.ones(3, 3) / 9, 2))
        (kernels / "even.csv").write_text("1,1\n1,1\n")
        with pytest.raises(UserError, match="holds a kernel of 2 x 2; expected odd sides"):
            learned("impressionism", folders, tmp_path / "even", "patches.side=16", f"kernel_folder={kernels}")
        (kernels / "even.csv").write_text("\n".join([",".join(["1"] * 65)] * 65))
        with pytest.raises(UserError, match="holds a kernel of 65 x 65; expected 63 pixels at most"):
            learned("impressionism", folders, tmp_path / "wide", "patches.side=16", f"kernel_folder={kernels}")
        with pytest.raises(UserError, match="kernels are either read or estimated"):
            learned("impressionism", folders, tmp_path / "other", f"kernel_folder={kernels}", "kernels.images=1")

    def test_impressionism_says_if_nothing_is_flat(self, folders: Photos, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no patch of 16 pixels has a variance below 2"):
            learned("impressionism", folders, tmp_path / "run", "patches.side=16", "max_variance=2")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (["patches.side=256"], "every image is smaller than the patches of 256 pixels"),
            (["patches.side=16", "min_mean=255"], "none of the flattest patches of 16 pixels has a mean above 255"),
        ],
    )
    def test_patches_are_looked_for_before_kernels_are_estimated(
        self, folders: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str], message: str
    ) -> None:
        def too_early(*arguments: object) -> Tensor:
            raise AssertionError("estimated a kernel")

        monkeypatch.setattr("flowkit_deflow.degraders.learning.impressionism.estimate_kernel", too_early)
        with pytest.raises(UserError, match=message), warnings.catch_warnings(action="error"):
            learned("impressionism", folders, tmp_path / "run", "kernels.images=1", *changes)

    def test_a_pipeline_is_written_down(self, tmp_path: Path) -> None:
        learner = LEARNERS["handwritten"]
        run = override(learner.preset("bsrgan"), ["pipeline.scale=2"])
        degrader = learn_by(learner, run, tmp_path, progress=False).degrader
        assert degrader.degrade(torch.rand(1, 3, 16, 16)).shape == (1, 3, 8, 8)

    def test_a_pipeline_adds_noise(self, folders: Photos, tmp_path: Path) -> None:
        # Noise has the deviation 1 to 30 of 255, twice, and JPEG takes some of it away.
        assert 1 / 255 < added_std(learned("handwritten", folders, tmp_path)) < 60 / 255

    def test_a_mixture_holds_its_parts(self, folders: Photos, tmp_path: Path) -> None:
        for name, sigma in (("a", 0.0), ("b", 0.2)):
            WhiteNoise(sigma).save_pretrained(tmp_path / name)
        change = f"mixture.folders=[{tmp_path / 'a'},{tmp_path / 'b'}]"
        degrader = learned("mixture", folders, tmp_path / "run", change)
        images = torch.full((64, 3, 8, 8), 0.5)
        still = (degrader.degrade(images) == 0.5).flatten(1).all(1).sum()
        assert 16 < int(still) < 48  # four standard deviations of half of 64

    def test_a_mixture_refuses_what_makes_images_smaller(self, folders: Photos, tmp_path: Path) -> None:
        HandWritten("bsrgan", scale=4).save_pretrained(tmp_path / "a")
        with pytest.raises(UserError, match=r"mixture\.folders=.*: part 1 of the mixture"):
            learned("mixture", folders, tmp_path / "run", f"mixture.folders=[{tmp_path / 'a'}]")
        assert not (tmp_path / "run").exists()


def test_a_short_run_of_deflow_begins_to_add_noise(folders: Photos, tmp_path: Path) -> None:
    network = [
        "architecture.steps=1",
        "hidden_channels=8",
        "encoder_features=8",
        "encoder_growth=4",
        "encoder_blocks=1",
    ]
    data = [*assignments({"data.clean": folders.clean, "data.degraded": folders.noisy}), "h_noise=0.03", "held_out=0"]
    training = [
        "training.steps=40",
        "training.batch=4",
        "learning_rate=3e-3",
        "warmup=5",
        "workers=0",
        "accelerator=cpu",
    ]
    model, _ = train(override(preset("small"), [*network, *data, *training]), tmp_path / "run", progress=False)
    # Its shift starts at a share of the latents' own spread, and is measured after training.
    assert 0.5 * SIGMA < added_std(model) < 1.5 * SIGMA


class TestAdversarial:
    # Seconds of training are enough for a share of the noise, and for no picture to be lost.
    @pytest.mark.parametrize("kind", ADVERSARIAL)
    def test_a_short_run_begins_to_add_noise(self, kind: str, folders: Photos, tmp_path: Path) -> None:
        degrader = learned(kind, folders, tmp_path / "run", *SHORT, *ADVERSARIAL[kind])
        assert 0.05 * SIGMA < added_std(degrader) < 2 * SIGMA
        assert type(load_degrader(tmp_path / "run" / "model")) is type(degrader)

    def test_dasr_tells_the_domains_apart(self, folders: Photos, tmp_path: Path) -> None:
        degrader = learned("dasr", folders, tmp_path, *SHORT, *ADVERSARIAL["dasr"])
        assert isinstance(degrader, DomainAwareTranslation)
        clean = torch.stack([smooth(300 + number) for number in range(4)])
        noisy = clean + SIGMA * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        assert degrader.domain_map(clean).mean() < degrader.domain_map(noisy).mean()

    @pytest.mark.parametrize("kind", ["cyclegan", "pdm"])
    def test_a_stopped_run_ends_with_the_same_weights(
        self, kind: str, folders: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from flowkit_deflow.training.adversarial.alternating import Alternating

        changes = ["training.steps=6", "training.workers=0", "training.accelerator=cpu", "checkpoint_every=2"]
        whole = learned(kind, folders, tmp_path / "whole", *changes)
        step = Alternating.training_step

        def stopping(self: Alternating, batch: object, batch_idx: int) -> None:
            if self.trainer.global_step == 5:
                raise KeyboardInterrupt
            step(self, batch, batch_idx)

        monkeypatch.setattr(Alternating, "training_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            learned(kind, folders, tmp_path / "stopped", *changes)
        monkeypatch.undo()
        with pytest.raises(UserError, match=r"training\.steps was 6, now 5\).*lengthened by more training\.steps"):
            learned(kind, folders, tmp_path / "stopped", *changes, "training.steps=5")
        resumed = learned(kind, folders, tmp_path / "stopped", *changes)
        assert isinstance(whole, torch.nn.Module)
        assert isinstance(resumed, torch.nn.Module)
        for name, value in whole.state_dict().items():
            assert torch.equal(resumed.state_dict()[name], value), name

    def test_more_steps_lengthen_a_run(self, deflow: Command, folders: Photos, tmp_path: Path) -> None:
        # A rate that does not fall is the same however long the run.
        settings = ("training.decay_from=1", "training.batch=2", "workers=0", "accelerator=cpu", "checkpoint_every=2")
        settings += ("log_every=1",)
        begun = ("train", "--degrader", "pdm", "--clean", folders.clean, "--degraded", folders.noisy)
        begun += tuple(part for setting in settings for part in ("--set", setting))
        for out, steps in (("run", 3), ("whole", 5)):
            assert deflow(*begun, "--steps", steps, "--out", tmp_path / out).status == 0
        # Where the photographs lie, and how often the run is saved, may change as well.
        clean = shutil.copytree(folders.clean, tmp_path / "clean")
        moved = ("--clean", clean, "--set", "checkpoint_every=1")
        longer = deflow("train", "--out", tmp_path / "run", "--steps", 5, *moved)
        assert longer.status == 0, longer.err
        assert "Going on from step 3 of 5." in longer.out
        assert "training.checkpoint_every was 2, now 1" in longer.out
        assert (tmp_path / "run" / "log" / "scalars.csv").read_text().count("\n") == 1 + 5
        first, second = (tmp_path / out / "model" / "model.safetensors" for out in ("run", "whole"))
        assert first.read_bytes() == second.read_bytes()


def gaussian(across: float, along: float, angle: float) -> Tensor:
    """A Gaussian of two widths, turned."""
    offset = torch.arange(SIDE) - (SIDE - 1) / 2
    rows, columns = torch.meshgrid(offset, offset, indexing="ij")
    first = math.cos(angle) * columns + math.sin(angle) * rows
    second = math.cos(angle) * rows - math.sin(angle) * columns
    kernel = torch.exp(-((first / across) ** 2 + (second / along) ** 2) / 2)
    return kernel / kernel.sum()


def dead_leaves(side: int, discs: int = 6000) -> Tensor:
    """Discs upon discs, their radii of density r^-3: alike at all scales, which is what KernelGAN takes images for.

    A photograph that is not, such as scikit-image's astronaut, can tell a kernel's width and not which way it lies.
    """
    random = seeded_generator(0, "leaves")
    smallest, largest = 2.0, side / 4
    shares = torch.rand(discs, generator=random)
    radii = (smallest**-2 - shares * (smallest**-2 - largest**-2)) ** -0.5
    centres, colours = side * torch.rand(discs, 2, generator=random), torch.rand(discs, 3, generator=random)
    axis, image = torch.arange(side), torch.full((3, side, side), 0.5)
    for radius, (row, column), colour in zip(radii, centres, colours, strict=True):
        inside = (axis[:, None] - row).square() + (axis - column).square() < radius**2
        image[:, inside] = colour[:, None]
    return image


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


class TestKernels:
    def test_a_composed_kernel_is_that_of_two_downsamplings(self) -> None:
        torch.manual_seed(0)
        image, kernel = torch.rand(1, 96, 96, dtype=torch.float64), torch.rand(5, 5, dtype=torch.float64)
        twice = apply_kernel(apply_kernel(image, kernel)[..., ::2, ::2], kernel)[..., ::2, ::2]
        once = apply_kernel(image, compose(kernel.float()).double())[..., ::4, ::4]
        # Away from the borders; the composition is in single precision.
        torch.testing.assert_close(once[..., 4:-4, 4:-4], twice[..., 4:-4, 4:-4], rtol=1e-5, atol=0)

    def test_a_kernel_is_brought_to_the_middle(self) -> None:
        kernel = torch.zeros(SIDE, SIDE)
        kernel[3:6, 8:10] = 1
        moved = centred(kernel)
        axis = torch.arange(SIDE) - (SIDE - 1) / 2
        assert float(moved.sum()) == pytest.approx(1)
        assert float((moved.sum(0) * axis).sum()) == pytest.approx(0, abs=1e-5)
        assert float((moved.sum(1) * axis).sum()) == pytest.approx(0, abs=1e-5)

    def test_an_anisotropic_gaussian_is_recovered(self) -> None:
        true = gaussian(2.5, 1.0, 2.2)
        image = apply_kernel(dead_leaves(320), true)[:, ::2, ::2].clamp(0, 1)
        settings = KernelEstimation(images=1, steps=600, channels=16, crop=32, learning_rate=2e-3)
        found = estimate_kernel(image, settings, torch.Generator().manual_seed(0))
        row, column = divmod(int(found.argmax()), SIDE)
        assert max(abs(row - SIDE // 2), abs(column - SIDE // 2)) <= 1
        assert correlation(found, true) > 0.8
        # It lies as the blur does, not across.
        assert correlation(found, true) > correlation(found, gaussian(1.0, 2.5, 2.2))

    def test_a_small_image_is_refused(self) -> None:
        with pytest.raises(ValueError, match="smaller than crops of 64"):
            estimate_kernel(torch.rand(3, 63, 80), KernelEstimation(), torch.Generator())


class TestKernelCommand:
    def test_kernels_are_written_for_training(self, deflow: Command, photos: Photos, tmp_path: Path) -> None:
        ended = deflow("kernels", photos.clean, tmp_path / "out", "--steps", 2, "--channels", 2, "--crop", 32)
        assert ended.status == 0, ended.err
        kernels = read_kernels(tmp_path / "out")
        assert [tuple(kernel.shape) for kernel in kernels] == [(SIDE, SIDE)] * 8
        # They are there already.
        again = deflow("kernels", photos.clean, tmp_path / "out", "--steps", 2, "--channels", 2, "--crop", 32)
        assert "0 kernels written" in again.out
        assert "8 were there already" in again.out
        other = deflow("kernels", photos.clean, tmp_path / "out", "--steps", 3, "--channels", 2, "--crop", 32)
        assert (other.status, "made otherwise: steps was 2, is 3; give --overwrite" in other.err) == (2, True)

    def test_kernels_of_one_name_are_refused_at_once(self, deflow: Command, tmp_path: Path) -> None:
        for name in ("a.png", "a.jpg", "b/c.png", "b_c.png"):
            write_image(tmp_path / "in" / name, torch.rand(3, 32, 32))
        ended = deflow("kernels", tmp_path / "in", tmp_path / "out")
        assert ended.status == 2
        assert "a.png to" in ended.err
        assert "b_c.png to" in ended.err
        assert not (tmp_path / "out").exists()

    def test_small_images_are_named(self, deflow: Command, tmp_path: Path) -> None:
        write_image(tmp_path / "in" / "small.png", torch.rand(3, 31, 50))
        ended = deflow("kernels", tmp_path / "in", tmp_path / "out", "--steps", 2)
        assert ended.status == 2
        assert "50 x 31 pixels are fewer than the crops of 64 need" in ended.err
        assert not (tmp_path / "out").exists()


class TestCommand:
    def test_other_kinds_are_learned_and_applied(self, deflow: Command, folders: Photos, tmp_path: Path) -> None:
        arguments = ["--clean", folders.clean, "--degraded", folders.noisy, "--out", tmp_path / "run"]
        ended = deflow("train", "--degrader", "camera", *arguments)
        assert ended.status == 0, ended.err
        assert deflow("info", tmp_path / "run").out.startswith(f"{tmp_path / 'run' / 'model'}: CameraNoise")
        ended = deflow("degrade", tmp_path / "run" / "model", folders.clean, tmp_path / "out", "--device", "cpu")
        assert ended.status == 0, ended.err
        assert len(list((tmp_path / "out").glob("*.png"))) == 10

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--degrader", "fog"], "degrader 'fog' is unknown; there are: deflow, none, white"),
            (
                ["--degrader", "pdm", "--preset", "papr"],
                "preset 'papr' of the degrader 'pdm' is unknown; did you mean 'paper'?",
            ),
            (["--degrader", "camera"], "no folder of degraded images was given"),
            (["--degrader", "dasr"], "no folder of clean images was given"),
            *(
                (
                    ["--degrader", kind, "--set", "losses.lpips=0.01", "--set", "training.crop=30"],
                    "crop is 30 and lpips 0.01, which takes crops of 31 pixels or more; set a larger crop, or",
                )
                for kind in ("dasr", "frequency_separation")
            ),
            (["--degrader", "mixture"], "a mixture needs degraders"),
            (["--degrader", "white", "--set", "sigma=-1"], "sigma is -1"),
            (["--degrader", "white", "--pairs"], "--pairs: the degrader 'white' has no such setting; leave it out"),
            (["--degrader", "white", "--from", "x"], "--from: the degrader 'white' has no such setting"),
            (["--degrader", "none", "--steps", "3"], "--steps: the degrader 'none' has no such setting"),
        ],
    )
    def test_a_mistake_is_one_line(self, deflow: Command, tmp_path: Path, arguments: list[str], message: str) -> None:
        ended = deflow("train", *arguments, "--out", tmp_path / "run")
        assert ended.status == 2
        assert message in ended.err
        assert ended.err.count("\n") == 1
        assert not (tmp_path / "run").exists()

    def test_what_the_machine_cannot_do_is_told_before_anything_is_written(
        self, deflow: Command, folders: Photos, tmp_path: Path
    ) -> None:
        arguments = ["--clean", folders.clean, "--degraded", folders.noisy, "--set", "accelerator=abacus"]
        ended = deflow("train", "--degrader", "pdm", *arguments, "--out", tmp_path / "run")
        assert (ended.status, "training.accelerator=abacus" in ended.err) == (2, True), ended.err
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", LEARNERS)
def test_settings_name_their_kind(kind: str) -> None:
    for settings in LEARNERS[kind].presets.values():
        assert to_dict(settings)["degrader"] == kind
