"""One of several degraders for each image."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.degrader import Degrader, require_degradable
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.errors import UserError
from flowkit_deflow.model_folder import StoredModel, read_model_folder, write_model_folder

__all__ = ["Mixture"]


class Mixture(nn.Module):
    r"""Degrade each version of each image by one of several degraders, drawn at random.

    .. math:: p(y \mid x) = \sum_i w_i\, p_i(y \mid x)

    Args:
        parts: the degraders; none makes images smaller, as a hand-written pipeline of a scale above 1 does.
        weights: how often each is drawn; all alike if empty.

    Raises:
        ValueError: there are no degraders, not one positive weight for each, or one makes images smaller.

    References:
        K. Zhang, J. Liang, L. Van Gool, R. Timofte, "Designing a Practical Degradation Model for Deep Blind Image
        Super-Resolution", ICCV 2021, which draws among degradations for each image.

    Examples:
        >>> from flowkit_deflow.degraders.white_noise import WhiteNoise
        >>> mixture = Mixture([WhiteNoise(0.0), WhiteNoise(0.1)], weights=[3, 1])
        >>> mixture.degrade(torch.rand(4, 3, 16, 16)).shape
        torch.Size([4, 3, 16, 16])
    """

    kind: ClassVar[str] = "mixture"

    def __init__(self, parts: Sequence[Degrader], weights: Sequence[float] = ()) -> None:
        super().__init__()
        chosen = list(weights) or [1.0] * len(parts)
        if not parts or len(chosen) != len(parts) or min(chosen) <= 0:
            raise ValueError(f"a mixture of {len(parts)} degraders has the weights {chosen}; expected one > 0 for each")
        for number, part in enumerate(parts, 1):
            if isinstance(part, HandWritten) and part.scale > 1:
                raise ValueError(
                    f"part {number} of the mixture, {part.kind!r}, has the scale {part.scale}; expected scale 1, as "
                    "all versions of an image have its size"
                )
        self.parts = list(parts)
        self.weights = [weight / sum(chosen) for weight in chosen]
        # What has weights of its own goes along to other devices.
        self.modules_of_parts = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Versions of images, each by one of the degraders.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            temperature: of each degrader.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        require_degradable(images, temperature, samples)
        count = (samples or 1) * len(images)
        device = "cpu" if generator is None else generator.device
        weights = torch.tensor(self.weights, device=device)
        drawn = torch.multinomial(weights, count, replacement=True, generator=generator).to(images.device)
        every = images.repeat(samples or 1, 1, 1, 1)
        result = torch.empty_like(every)
        for number, part in enumerate(self.parts):
            chosen = drawn == number
            if chosen.any():
                result[chosen] = part.degrade(every[chosen], temperature, generator=generator)
        return result if samples is None else result.view(samples, *images.shape)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it and all of its parts as one model folder: ``config.json`` and ``model.safetensors``."""
        settings: list[dict[str, Any]] = []
        state: dict[str, Tensor] = {}
        with tempfile.TemporaryDirectory() as temporary:
            for number, part in enumerate(self.parts):
                own = Path(temporary) / str(number)
                part.save_pretrained(own)
                stored = read_model_folder(own)
                settings.append({"kind": stored.kind, "settings": stored.settings})
                state |= {f"{number}.{key}": value for key, value in stored.state.items()}
        write_model_folder(folder, self.kind, {"parts": settings, "weights": self.weights}, state)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        # The table of all kinds has this one in it.
        from flowkit_deflow.degraders.registry import load_degrader

        stored = read_model_folder(folder)
        stored.require(cls.kind)
        match stored.settings:
            case {"parts": [*parts], "weights": [*weights]}:
                pass
            case _:
                raise UserError(f"{stored.config}: holds {stored.settings}, expected 'parts' and their 'weights'")
        with tempfile.TemporaryDirectory() as temporary:
            degraders = []
            for number, part in enumerate(parts):
                own = Path(temporary) / str(number)
                _write_part(own, part, stored, f"{number}.")
                degraders.append(load_degrader(own))
        try:
            return cls(degraders, weights).eval()
        except (ValueError, TypeError) as error:
            raise UserError(f"{stored.config}: {error}") from None


def _write_part(folder: Path, part: Any, stored: StoredModel, prefix: str) -> None:
    match part:
        case {"kind": str() as kind, "settings": Mapping() as settings}:
            state = {key.removeprefix(prefix): v for key, v in stored.state.items() if key.startswith(prefix)}
            write_model_folder(folder, kind, settings, state)
        case _:
            raise UserError(f"{stored.config}: holds {part!r} for a part, expected its 'kind' and 'settings'")
