"""DeFlow: degraded versions of clean images, and back."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit import Bijector, Flow, initialize
from flowkit.nn import place_constants_after_loading
from flowkit_deflow.images.checks import require_images, require_pixels, require_samples
from flowkit_deflow.images.noise import GeneratorNoise, NoiseSource, windowed
from flowkit_deflow.images.padded import PaddedImages
from flowkit_deflow.images.resize import Window, bicubic_downsample
from flowkit_deflow.images.tiling import Piece
from flowkit_deflow.method.architecture import build_bijector, build_latents
from flowkit_deflow.method.generation import Views, generate, tiles_for
from flowkit_deflow.method.grain import Grain
from flowkit_deflow.method.latent_edits import Degrade, LatentEdit, Latents, Restore, Sample
from flowkit_deflow.method.latents import Domain, LatentLabel, LatentModel
from flowkit_deflow.method.normalization import ColourNormalization
from flowkit_deflow.model_folder import load_exactly, read_model_folder, write_model_folder
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.settings.text import from_dict, to_dict

__all__ = ["DeFlow"]

Images = Tensor


class DeFlow(nn.Module):
    r"""A flow shared by clean and degraded images, its latents shifted between the two.

    .. math:: y = f_h^{-1}\left(f_h(x) + u\right), \qquad u = \mu_u + M \tilde u, \qquad \tilde u \sim N(0, I)

    for a clean image :math:`x`, its downsampled, noisy copy :math:`h` and the flow :math:`f_h` that sees it. With
    ``config.grain``, stationary noise that the flow's images were found to lack is added to :math:`y`; likelihoods and
    the posterior are those without it.

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

    kind: ClassVar[str] = "deflow"
    tiled: ClassVar[bool] = True

    def __init__(self, config: Architecture) -> None:
        super().__init__()
        config.require_numbers()
        self.config = config
        self.flow = Flow(build_bijector(config), build_latents(config))
        self.normalization = ColourNormalization(config.normalization)
        self.grain = Grain() if config.grain else None
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
        if self.config.h_factor is None:
            return None
        return self.noisy_h(bicubic_downsample(images, self.config.h_factor), domain, noise)

    def noisy_h(self, downsampled: Tensor, domain: Domain | Tensor, noise: Tensor | None = None) -> Tensor:
        """:meth:`h` for images that are downsampled already."""
        h = self.normalization.h_to_shared(downsampled, domain)
        if noise is None:
            return h
        # The sum is rounded once where h is in half precision.
        precise = h.to(torch.promote_types(h.dtype, torch.float32))
        return (precise + self.config.h_std * noise.to(precise)).to(h.dtype)

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
            h = self._drawn_h(images, domain, generator)
        shared = self.normalization.to_shared(images, domain)
        return self.flow.log_prob(shared, h, label=LatentLabel(domain, h)) + self.normalization.log_det(images, domain)

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
        h = self._drawn_h(clean, Domain.CLEAN, generator)
        bound = self.bijector.bind(h)
        z_clean, _ = bound(self.normalization.to_shared(clean, Domain.CLEAN))
        # The degraded image is a version of the clean one: it has the clean one's colours.
        z_degraded, log_det = bound(self.normalization.to_shared(degraded, Domain.CLEAN))
        log_det = log_det + self.normalization.log_det(degraded, Domain.CLEAN)
        return self.latents.log_prob_pair(z_clean, z_degraded, h) + log_det

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
            temperature: factor on the shift between the domains, and on the grain: 0 gives the image back, 1 is the
                model.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.
            noise: a source of randomness to use in place of ``generator``.
            tile: side of the tiles in which to work through a large image (pixels); ``None``: in one piece.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        edit = Degrade(self.latents, temperature)
        return self._generated(images, edit, samples, noise or GeneratorNoise(generator), tile)

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
            temperature: factor on the deviation from the posterior's mean: 0 decodes the mean itself, the same each
                time.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.
            noise: a source of randomness to use in place of ``generator``.
            tile: side of the tiles in which to work through a large image (pixels); ``None``: in one piece.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        edit = Restore(self.latents, temperature)
        return self._generated(images, edit, samples, noise or GeneratorNoise(generator), tile)

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
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        edit = Sample(self.latents, domain, temperature)
        return self._generated(images, edit, samples, noise or GeneratorNoise(generator), tile)

    def degrade_pieces(
        self, images: Images, temperature: float, samples: int, *, noise: NoiseSource, tile: int | None = None
    ) -> Iterator[Piece]:
        """:meth:`degrade` for what is too large to be held: see :meth:`pieces`."""
        return self.pieces(images, Degrade(self.latents, temperature), samples, noise, tile)

    @torch.no_grad()
    def pieces(
        self, images: Images, edit: LatentEdit, samples: int, noise: NoiseSource, tile: int | None = None
    ) -> Iterator[Piece]:
        """Generate images part by part: neither all samples nor a whole result is ever in memory.

        Args:
            images: ``B x 3 x H x W``, floating-point in [0, 1] or bytes; they may lie on the CPU while the model is
                elsewhere.
            edit: what happens to the latents: ``Degrade``, ``Restore`` or ``Sample``.
            samples: how many versions of each.
            noise: source of randomness.
            tile: side of the tiles (pixels); ``None``: in one piece.

        Yields:
            All samples of the first tile, then of the next: floating-point pixels in [0, 1].

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        require_pixels(images)
        require_samples(samples)
        parameter = next(self.parameters())
        padded = PaddedImages(images, self.config.alignment, parameter.dtype, parameter.device)
        source = windowed(noise)
        factor, domain = self.config.h_factor, edit.domain

        def h(window: Window) -> Tensor | None:
            if factor is None:
                return None
            whole = (*padded.shape[:2], padded.height // factor, padded.width // factor)
            own = Window(*(number // factor for number in window))
            drawn = edit.h_noise * source.window("h", whole, own) if edit.h_noise > 0 else None
            return self.noisy_h(padded.downsampled(window, factor), domain, drawn)

        def shared(window: Window) -> Tensor:
            return self.normalization.to_shared(padded.window(window), domain)

        grain = self.grain if edit.grain > 0 and self.grain is not None and self.grain.std > 0 else None
        views = Views(padded.shape, shared, h)
        parts = tiles_for(self.config, padded.height, padded.width, tile)
        height, width = images.shape[-2:]
        for sample, window, pixels in generate(self.bijector, views, edit, source, samples, parts):
            kept = Window(*window[:2], min(window.height, height - window.top), min(window.width, width - window.left))
            if kept.height > 0 and kept.width > 0:
                finished = self.normalization.back(pixels[..., : kept.height, : kept.width], domain)
                if grain is not None:
                    finished += edit.grain * grain.window(source, f"sample {sample} grain", images.shape, kept)
                yield Piece(sample, kept, finished.clamp(0, 1))

    def _generated(
        self, images: Images, edit: LatentEdit, samples: int | None, noise: NoiseSource, tile: int | None
    ) -> Images:
        """The whole images, of their pieces."""
        require_images(images)
        require_samples(samples)
        result = images.new_empty((samples or 1, *images.shape))
        for sample, window, pixels in self.pieces(images, edit, samples or 1, noise, tile):
            rows = slice(window.top, window.top + window.height)
            columns = slice(window.left, window.left + window.width)
            result[sample, ..., rows, columns] = pixels
        return result[0] if samples is None else result

    def _drawn_h(self, images: Images, domain: Domain | Tensor, generator: torch.Generator | None) -> Tensor | None:
        if self.config.h_factor is None:
            return None
        downsampled = bicubic_downsample(images, self.config.h_factor)
        return self.noisy_h(downsampled, domain, GeneratorNoise(generator)("h", downsampled.shape))

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
        write_model_folder(folder, self.kind, to_dict(self.config), self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read a model that :meth:`save_pretrained` wrote.

        Args:
            folder: the folder.

        Returns:
            The model in evaluation mode, on the CPU.

        Raises:
            UserError: a file is missing or damaged, the folder holds another kind of model, or a setting or key is
                unknown, missing or misshapen.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        model = cls(from_dict(Architecture, stored.settings, stored.config))
        stored.load_into(model)
        return model.eval()

    def load_exactly(self, state: dict[str, Tensor], source: str) -> None:
        """Moved to ``flowkit_deflow.model_folder.load_exactly``."""
        message = (
            "DeFlow.load_exactly is now flowkit_deflow.model_folder.load_exactly; the method goes with version 0.3"
        )
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        load_exactly(self, state, source)
