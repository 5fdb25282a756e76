from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.degradation import DeFlowDegradation
from tests.flowkit_deflow.networks import TINY, crops, perturbed


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestForward:
    def test_it_is_the_models_degrade(self) -> None:
        model, images, generator = perturbed(TINY), crops(2, 17), seeded()
        result = DeFlowDegradation(model, 0.7)(images, seeded())
        # One number is drawn first, for the temperature.
        torch.rand((), generator=generator)
        assert torch.equal(result, model.degrade(images, 0.7, generator=generator))

    @pytest.mark.parametrize("shape", [(3, 20, 30), (1, 3, 9, 5), (4, 3, 16, 16), (3, 1, 1)])
    def test_one_image_or_several(self, shape: tuple[int, ...]) -> None:
        result = DeFlowDegradation(perturbed(TINY))(torch.rand(shape))
        assert result.shape == shape
        assert result.min() >= 0
        assert result.max() <= 1

    def test_the_generator_decides(self) -> None:
        degrade, image = DeFlowDegradation(perturbed(TINY), (0.5, 1.5)), crops(1, 16)[0]
        assert torch.equal(degrade(image, seeded()), degrade(image, seeded()))
        assert not torch.equal(degrade(image, seeded()), degrade(image, seeded(1)))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            assert torch.equal(degrade(image), degrade(image, seeded()))


class TestTemperature:
    def test_drawn_from_the_range_for_each_call(self) -> None:
        seen: list[float] = []
        degrade = DeFlowDegradation(perturbed(TINY), (0.5, 1.5))

        def spy(images: Tensor, temperature: float, **settings: object) -> Tensor:
            seen.append(temperature)
            return images

        degrade.model.degrade = spy  # type: ignore[assignment, method-assign]
        generator = seeded()
        for _ in range(300):
            degrade(torch.rand(3, 4, 4), generator)
        assert 0.5 <= min(seen) < 0.55
        assert 1.45 < max(seen) <= 1.5
        # Uniform: five standard deviations of the mean of 300.
        assert sum(seen) / 300 == pytest.approx(1, abs=0.084)

    def test_without_any_the_image_comes_back(self) -> None:
        images = crops(2, 16)
        torch.testing.assert_close(DeFlowDegradation(perturbed(TINY), 0.0)(images), images, atol=1e-4, rtol=0)

    def test_a_falling_range_is_refused(self) -> None:
        with pytest.raises(ValueError, match="expected \\(low, high\\)"):
            DeFlowDegradation(perturbed(TINY), (1.5, 0.5))


class TestInATrainingProgram:
    def test_it_is_not_trained(self) -> None:
        pipeline = nn.Sequential(DeFlowDegradation(perturbed(TINY)), nn.Conv2d(3, 3, 1))
        pipeline.train()
        assert not any(module.training for module in pipeline[0].modules())
        assert pipeline[1].training
        pipeline(crops(2, 16)).sum().backward()
        assert all(p.grad is None and not p.requires_grad for p in pipeline[0].parameters())
        assert all(p.grad is not None for p in pipeline[1].parameters())

    def test_from_a_folder(self, tmp_path: Path) -> None:
        model, images = perturbed(TINY), crops(2, 16)
        model.save_pretrained(tmp_path / "model")
        loaded = DeFlowDegradation.from_pretrained(tmp_path / "model", (0.5, 1.5))
        expected = DeFlowDegradation(model, (0.5, 1.5))
        assert torch.equal(loaded(images, seeded()), expected(images, seeded()))
