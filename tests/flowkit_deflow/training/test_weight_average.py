import torch

from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.presets import PRESETS
from flowkit_deflow.training.weight_average import moving_average
from tests.flowkit_deflow.networks import crops


def test_it_follows_the_weights_by_its_decay_and_sooner_at_first() -> None:
    model = DeFlow(PRESETS["tiny"].architecture).double()
    average = moving_average(model, 0.6)
    (mean,) = (p for name, p in average.module.named_parameters() if name.endswith("shifts.0.mean"))
    (value,) = (p for name, p in model.named_parameters() if name.endswith("shifts.0.mean"))
    expected = 0.0
    for number, new in enumerate([1.0, 5.0, -2.0, 3.0, 0.5, 7.0, 7.0, 1.0, 2.0, 4.0, 6.0, 8.0]):
        with torch.no_grad():
            value.fill_(new)
        average.update_parameters(model)
        decay = min(0.6, (1 + number) / (10 + number)) if number else 0.0
        expected = decay * expected + (1 - decay) * new
        torch.testing.assert_close(mean, torch.full_like(mean, expected))


def test_an_average_is_initialised_once_its_model_is() -> None:
    model = DeFlow(PRESETS["tiny"].architecture)
    average = moving_average(model, 0.999)
    images = crops(4, 16)
    model.initialize(images, torch.tensor([0, 1, 0, 1]))
    average.update_parameters(model)
    h = model.h(images, 0)
    torch.testing.assert_close(average.module.bijector(images, h)[0], model.bijector(images, h)[0])
    assert not any(parameter.requires_grad for parameter in average.parameters())
