from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import flowkit_deflow
from flowkit_deflow.degraders.degradation import Degradation
from flowkit_deflow.degraders.white_noise import WhiteNoise
from tests.flowkit_deflow.networks import TINY, crops, perturbed


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Shaken:
    """A degrader of somebody else's: no module, no folder, only the method."""

    def __init__(self) -> None:
        self.temperatures: list[float] = []

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        self.temperatures.append(temperature)
        return (images + 0.1 * torch.rand(images.shape, generator=generator)).clamp(0, 1)


class TestForward:
    def test_it_is_the_models_degrade(self) -> None:
        model, images, generator = perturbed(TINY), crops(2, 17), seeded()
        result = Degradation(model, 0.7)(images, seeded())
        # One number is drawn first, for the temperature.
        torch.rand((), generator=generator)
        assert torch.equal(result, model.degrade(images, 0.7, generator=generator))

    @pytest.mark.parametrize("shape", [(3, 20, 30), (1, 3, 9, 5), (4, 3, 16, 16), (3, 1, 1)])
    def test_one_image_or_several(self, shape: tuple[int, ...]) -> None:
        for model in (perturbed(TINY), WhiteNoise(0.1), Shaken()):
            result = Degradation(model)(torch.rand(shape))
            assert result.shape == shape
            assert result.min() >= 0
            assert result.max() <= 1

    def test_the_generator_decides(self) -> None:
        degrade, image = Degradation(perturbed(TINY), (0.5, 1.5)), crops(1, 16)[0]
        assert torch.equal(degrade(image, seeded()), degrade(image, seeded()))
        assert not torch.equal(degrade(image, seeded()), degrade(image, seeded(1)))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            assert torch.equal(degrade(image), degrade(image, seeded()))


class TestTemperature:
    def test_drawn_from_the_range_for_each_call(self) -> None:
        model, generator = Shaken(), seeded()
        degrade = Degradation(model, (0.5, 1.5))
        for _ in range(300):
            degrade(torch.rand(3, 4, 4), generator)
        assert 0.5 <= min(model.temperatures) < 0.55
        assert 1.45 < max(model.temperatures) <= 1.5
        # Uniform: five standard deviations of the mean of 300.
        assert sum(model.temperatures) / 300 == pytest.approx(1, abs=0.084)

    def test_without_any_the_image_comes_back(self) -> None:
        images = crops(2, 16)
        torch.testing.assert_close(Degradation(perturbed(TINY), 0.0)(images), images, atol=1e-4, rtol=0)

    def test_a_falling_range_is_refused(self) -> None:
        with pytest.raises(ValueError, match="expected \\(low, high\\)"):
            Degradation(perturbed(TINY), (1.5, 0.5))


class TestInATrainingProgram:
    def test_it_is_not_trained(self) -> None:
        pipeline = nn.Sequential(Degradation(perturbed(TINY)), nn.Conv2d(3, 3, 1))
        pipeline.train()
        assert not any(module.training for module in pipeline[0].modules())
        assert pipeline[1].training
        pipeline(crops(2, 16)).sum().backward()
        assert all(p.grad is None and not p.requires_grad for p in pipeline[0].parameters())
        assert all(p.grad is not None for p in pipeline[1].parameters())

    def test_a_network_of_others_gets_no_gradient_either(self) -> None:
        class Network(nn.Conv2d):
            def degrade(
                self,
                images: Tensor,
                temperature: float = 1.0,
                samples: int | None = None,
                generator: torch.Generator | None = None,
            ) -> Tensor:
                return self(images)

        images = crops(2, 16).requires_grad_()
        degrade = Degradation(Network(3, 3, 1))
        assert not degrade(images).requires_grad
        assert all(key.startswith("model.") for key in degrade.state_dict())

    def test_from_a_folder(self, tmp_path: Path) -> None:
        for model in (perturbed(TINY), WhiteNoise((0.0, 0.2))):
            images = crops(2, 16)
            model.save_pretrained(tmp_path / "model")
            loaded = Degradation.from_pretrained(tmp_path / "model", (0.5, 1.5))
            expected = Degradation(model, (0.5, 1.5))
            assert torch.equal(loaded(images, seeded()), expected(images, seeded()))


def test_what_cannot_degrade_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a Conv2d has no method degrade\(images, "):
        Degradation(nn.Conv2d(3, 3, 1))  # type: ignore[arg-type]


def test_the_former_name_is_the_same_class() -> None:
    with pytest.warns(DeprecationWarning, match="is now flowkit_deflow.Degradation"):
        former = flowkit_deflow.DeFlowDegradation
    assert former is Degradation
    with pytest.raises(AttributeError, match="has no attribute 'DeFlowDegredation'"):
        flowkit_deflow.DeFlowDegredation  # noqa: B018
