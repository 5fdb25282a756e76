"""DeFlow: degraded versions of clean images, and back."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from flowkit import Bijector, Flow, initialize
from flowkit.constants import place_constants_after_loading
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_folder
from flowkit_deflow.images.noise import GeneratorNoise, NoiseSource
from flowkit_deflow.images.resize import Window, bicubic_downsample, pad_to_multiple
from flowkit_deflow.images.tiling import Tile, tiles
from flowkit_deflow.method.architecture import build_bijector, build_latents
from flowkit_deflow.method.latents import Domain, LatentModel
from flowkit_deflow.method.normalization import ColourNormalization
from flowkit_deflow.settings.schema import Architecture, from_dict, to_dict
from flowkit_deflow.state_files import read_state, write_state

__all__ = ["MARGIN", "MARGIN_PER_BLOCK", "DeFlow"]

# What a tile sees around what is kept of it, in pixels of h. Border effects decay with distance; deeper encoders need a
# wider margin. tests/flowkit_deflow/images/test_tiling.py bounds what is left.
MARGIN = 16
MARGIN_PER_BLOCK = 1.5

Latents = tuple[Tensor, ...]
Images = Tensor


class DeFlow(nn.Module):
    r"""A flow shared by clean and degraded images, its latents shifted between the two.

    .. math:: y = f_h^{-1}\left(f_h(x) + u\right), \qquad u = \mu_u + M \tilde u, \qquad \tilde u \sim N(0, I)

    for a clean image :math:`x`, its downsampled, noisy copy :math:`h` and the flow :math:`f_h` that sees it.

    Args:
        config: the architecture.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eqs. 2 to 5 and 8.

    Examples:
        >>> from flowkit_deflow.settings.presets import PRESETS
        >>> model = DeFlow(PRESETS["tiny"].architecture)
        >>> model.initialize(torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 0, 1]))
        >>> images = torch.rand(2, 3, 24, 17)
        >>> model.degrade(images).shape
        torch.Size([2, 3, 24, 17])
        >>> model.degrade(images, samples=3, temperature=0.8).shape
        torch.Size([3, 2, 3, 24, 17])
    """

    def __init__(self, config: Architecture) -> None:
        super().__init__()
        self.config = config
        self.flow = Flow(build_bijector(config), build_latents(config))
        self.normalization = ColourNormalization(config.normalization)
        place_constants_after_loading(self)

    @property
    def bijector(self) -> Bijector[Tensor, Latents]:
        """Images in the shared colours to latents, given h."""
        return self.flow.bijector

    @property
    def latents(self) -> LatentModel:
        """The domain-dependent base distribution."""
        assert isinstance(self.flow.base, LatentModel)
        return self.flow.base

    def h(self, images: Images, domain: Domain | Tensor, noise: Tensor | None = None) -> Tensor | None:
        """What the flow is conditioned on: a downsampled, noisy copy that hides the domain (sec. 4.2).

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            domain: their domain, or one for each.
            noise: standard normal numbers of h's shape; ``None`` for none.

        Returns:
            ``B x 3 x ceil(H / factor) x ceil(W / factor)`` in the shared colours; ``None`` without conditioning.
        """
        if self.config.factor is None:
            return None
        return self.noisy_h(bicubic_downsample(images, self.config.factor), domain, noise)

    def noisy_h(self, downsampled: Tensor, domain: Domain | Tensor, noise: Tensor | None = None) -> Tensor:
        """:meth:`h` for images that are downsampled already."""
        h = self.normalization.h_to_shared(downsampled, domain)
        return h if noise is None else h + self.config.h_noise * noise.to(h)

    def log_prob(
        self,
        images: Images,
        domain: Domain | Tensor,
        h: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Marginal log-likelihood log p(x|h) or log p(y|h), eqs. 4a and 4b; natural log, one number per image.

        Args:
            images: ``B x 3 x H x W`` in [0, 1], height and width multiples of ``config.alignment``.
            domain: their domain, or a tensor with one for each.
            h: what :meth:`h` or :meth:`noisy_h` returned; made from the images if ``None``.
            generator: source of h's noise where h is made here; ``None`` for PyTorch's global one.

        Returns:
            ``B`` numbers; :func:`flowkit.bits_per_dim` makes bits per dimension of them.

        Raises:
            ValueError: height or width is no multiple of the alignment (pad or crop them).
        """
        self._check(images)
        if h is None:
            h = self._drawn_h(images, domain, GeneratorNoise(generator))
        shared = self.normalization.to_shared(images, domain)
        return self.flow.log_prob(shared, h, label=domain) + self.normalization.log_det(images, domain)

    def log_prob_pair(self, clean: Images, degraded: Images, generator: torch.Generator | None = None) -> Tensor:
        """Conditional log-likelihood log p(y | x, h) of paired images, eq. 5; one number per pair.

        Args:
            clean: ``B x 3 x H x W`` in [0, 1], height and width multiples of ``config.alignment``.
            degraded: the degraded versions, of the same shape.
            generator: source of h's noise; the degraded image is scored given the clean one's h.

        Returns:
            ``B`` numbers, natural log.

        Raises:
            ValueError: the shapes differ, or a side is no multiple of the alignment.
        """
        self._check(clean)
        if clean.shape != degraded.shape:
            raise ValueError(
                f"clean images {tuple(clean.shape)} and degraded ones {tuple(degraded.shape)} are no pairs"
            )
        bound = self.bijector.bind(self._drawn_h(clean, Domain.CLEAN, GeneratorNoise(generator)))
        z_clean, _ = bound(self.normalization.to_shared(clean, Domain.CLEAN))
        # The degraded image is a version of the clean one: it has the clean one's colours.
        z_degraded, log_det = bound(self.normalization.to_shared(degraded, Domain.CLEAN))
        log_det = log_det + self.normalization.log_det(degraded, Domain.CLEAN)
        return self.latents.log_prob_pair(z_clean, z_degraded) + log_det

    def initialize(self, images: Images, domain: Domain | Tensor, h: Tensor | None = None) -> None:
        """Start the actnorms from a batch of data, best of both domains; see :func:`flowkit.initialize`."""
        h = self.h(images, domain) if h is None else h
        initialize(self.bijector, self.normalization.to_shared(images, domain), h)

    def degrade(
        self,
        images: Images,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
        *,
        noise: NoiseSource | None = None,
        tile: int | None = None,
    ) -> Images:
        """Degraded versions of clean images: encode, add ``temperature * u``, decode (eqs. 3 and 8).

        Args:
            images: ``B x 3 x H x W`` in [0, 1], of any size from 1 x 1.
            temperature: factor on the shift between the domains: 0 gives the image back, 1 is the model.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.
            noise: a source of randomness to use in place of ``generator``.
            tile: side of the tiles in which to work through a large image (pixels); ``None``: in one piece.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images, or ``samples`` is under 1.
        """
        return self._translate(
            images,
            Domain.CLEAN,
            start=lambda bound, x: bound(x)[0],
            change=lambda z, draws: self.latents.degrade(z, draws[0], temperature),
            draws=1,
            samples=samples,
            noise=noise or GeneratorNoise(generator),
            tile=tile,
        )

    def restore(
        self,
        images: Images,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
        *,
        noise: NoiseSource | None = None,
        tile: int | None = None,
    ) -> Images:
        """Clean versions of degraded images, from the Gaussian posterior of z_x given z_y.

        Args:
            images: degraded images.
            temperature: factor on the deviation from the posterior's mean: 0 decodes the mean itself.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.
            noise: a source of randomness to use in place of ``generator``.
            tile: side of the tiles in which to work through a large image (pixels); ``None``: in one piece.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images, or ``samples`` is under 1.
        """
        return self._translate(
            images,
            Domain.DEGRADED,
            start=lambda bound, y: bound(y)[0],
            change=lambda z, draws: self.latents.restore(z, list(zip(*draws, strict=True)), temperature),
            draws=2,
            samples=samples,
            noise=noise or GeneratorNoise(generator),
            tile=tile,
        )

    def sample(
        self,
        images: Images,
        domain: Domain,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
        *,
        noise: NoiseSource | None = None,
        tile: int | None = None,
    ) -> Images:
        """Images of a domain given nothing but h: samples of p(x|h) or p(y|h), h being made from ``images``.

        Args:
            images: images whose h is taken.
            domain: domain of ``images`` and of the samples.
            temperature: factor on the latents' deviation from their mean.
            samples: how many images for each h; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.
            noise: a source of randomness to use in place of ``generator``.
            tile: side of the tiles in which to work through a large image (pixels); ``None``: in one piece.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images, or ``samples`` is under 1.
        """

        def draw(_: Latents, draws: list[Latents]) -> Latents:
            clean = tuple(temperature * part for part in draws[0])
            if domain is Domain.CLEAN:
                return clean
            # Only the random part of u is scaled: its mean is the domain's.
            levels = zip(clean, draws[1], self.latents.shifts, strict=True)
            return tuple(z + s.shift(temperature * n) for z, n, s in levels)

        return self._translate(
            images,
            domain,
            start=lambda bound, x: (),
            change=draw,
            draws=2,
            samples=samples,
            noise=noise or GeneratorNoise(generator),
            tile=tile,
        )

    @torch.no_grad()
    def _translate(
        self,
        images: Images,
        domain: Domain,
        *,
        start: Callable[[Bijector[Tensor, Latents], Tensor], Latents],
        change: Callable[[Latents, list[Latents]], Latents],
        draws: int,
        samples: int | None,
        noise: NoiseSource,
        tile: int | None,
    ) -> Images:
        """Encode (``start``), change the latents, decode; tile by tile, every sample under one conditioning pass."""
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(f"expected float images B x 3 x H x W in [0, 1], got {images.dtype} {tuple(images.shape)}")
        if samples is not None and samples < 1:
            raise ValueError(f"samples is {samples}; expected at least 1, or None for one version")
        dtype = next(self.parameters()).dtype
        padded, (height, width) = pad_to_multiple(images.to(dtype), self.config.alignment)
        h = self._drawn_h(padded, domain, noise)
        shared = self.normalization.to_shared(padded, domain)
        shapes = self.bijector.output_shape(tuple(padded.shape[1:]))
        # Drawn for the whole image before it is cut: a tile's numbers do not depend on the tiles.
        numbers = [
            [
                tuple(noise(f"sample {s} draw {d} level {i}", (len(images), *shape)) for i, shape in enumerate(shapes))
                for d in range(draws)
            ]
            for s in range(samples or 1)
        ]
        result = images.new_empty((samples or 1, *padded.shape))
        for part in self._tiles(padded, tile):
            bound = self.bijector.bind(None if h is None else self._cut(h, part.outer, padded))
            z = start(bound, self._cut(shared, part.outer, padded))
            for s, drawn in enumerate(numbers):
                cut = [tuple(self._cut(n, part.outer, padded).to(shared) for n in latents) for latents in drawn]
                decoded, _ = bound.inverse(change(z, cut))
                (top, left, *_), inner = part.outer, part.inner
                rows = slice(inner.top - top, inner.top - top + inner.height)
                columns = slice(inner.left - left, inner.left - left + inner.width)
                kept = self.normalization.back(decoded, domain)[..., rows, columns]
                result[s, ..., inner.top : inner.top + inner.height, inner.left : inner.left + inner.width] = (
                    kept.clamp(0, 1)
                )
        result = result[..., :height, :width]
        return result[0] if samples is None else result

    def _tiles(self, padded: Tensor, tile: int | None) -> list[Tile]:
        height, width = padded.shape[-2:]
        if tile is None:
            whole = Window(0, 0, height, width)
            return [Tile(whole, whole)]
        alignment = self.config.alignment
        side = max(tile // alignment, 1) * alignment
        factor = self.config.factor or 4
        margin = math.ceil(factor * max(MARGIN, MARGIN_PER_BLOCK * self.config.encoder_blocks) / alignment) * alignment
        return list(tiles(height, width, side, margin, alignment))

    @staticmethod
    def _cut(values: Tensor, window: Window, image: Tensor) -> Tensor:
        """The window of the image, cut out of something of a lower resolution."""
        step = image.shape[-1] // values.shape[-1]
        top, left, height, width = (number // step for number in window)
        return values[..., top : top + height, left : left + width]

    def _drawn_h(self, images: Images, domain: Domain | Tensor, noise: NoiseSource) -> Tensor | None:
        if self.config.factor is None:
            return None
        downsampled = bicubic_downsample(images, self.config.factor)
        return self.noisy_h(downsampled, domain, noise("h", downsampled.shape))

    def _check(self, images: Images) -> None:
        alignment = self.config.alignment
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % alignment or images.shape[3] % alignment:
            raise ValueError(
                f"expected images B x 3 x H x W with H and W multiples of {alignment}, got {tuple(images.shape)}; "
                "crop them, or pad them with flowkit_deflow.pad_to_multiple"
            )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model as a folder: ``config.json`` and ``model.safetensors``.

        Args:
            folder: where; a model that is there already is replaced as a whole.

        Raises:
            UserError: it cannot be written, or the folder holds other files.
        """
        others = {path.name for path in Path(folder).glob("*")} - {"config.json", "model.safetensors"}
        if others:
            raise UserError(
                f"{folder}: holds other files ({min(others)}, ...), which would be lost; choose another folder"
            )
        with atomic_folder(Path(folder)) as temporary:
            text = json.dumps({"format": FORMAT, "architecture": to_dict(self.config)}, indent=2)
            (temporary / "config.json").write_text(text + "\n", encoding="utf-8")
            write_state(temporary / "model.safetensors", self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read a model that :meth:`save_pretrained` wrote.

        Args:
            folder: the folder.

        Returns:
            The model in evaluation mode, on the CPU.

        Raises:
            UserError: a file is missing or damaged, a setting or key is unknown, missing or misshapen.
        """
        folder = Path(folder)
        path = folder / "config.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            raise UserError(
                f"{folder}: is no model folder (no config.json to read); train one with deflow train"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: is not valid JSON ({error}); get the model again") from None
        if not isinstance(values, dict) or values.get("format") != FORMAT or "architecture" not in values:
            raise UserError(f"{path}: is not of the format {FORMAT!r}; convert other checkpoints with deflow convert")
        model = cls(from_dict(Architecture, values["architecture"], str(path)))
        model.load_exactly(read_state(folder / "model.safetensors"), str(folder / "model.safetensors"))
        return model.eval()

    def load_exactly(self, state: dict[str, Tensor], source: str) -> None:
        """Load a state dict, every key accounted for.

        Args:
            state: the weights.
            source: where they come from, for messages.

        Raises:
            UserError: an unknown, missing or misshapen key, by name.
        """
        own = self.state_dict()
        for key in sorted(state.keys() ^ own.keys()):
            problem = "is missing" if key in own else "is unknown"
            raise UserError(
                f"{source}: key {key!r} {problem}; these weights are of another architecture than config.json"
            )
        for key, value in own.items():
            if state[key].shape != value.shape:
                raise UserError(
                    f"{source}: {key!r} has shape {tuple(state[key].shape)}, expected {tuple(value.shape)}; "
                    "these weights are of another architecture than config.json"
                )
        self.load_state_dict(state)


FORMAT = "flowkit-deflow 1"
