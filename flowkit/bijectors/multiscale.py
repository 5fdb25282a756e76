"""Multi-scale architecture: levels with latents factored out between them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import REAL_LINE, Bijector, Interval, InTurn, Shape
from flowkit.bijectors.chaining import interval_filled, own_domain
from flowkit.bijectors.factor_out import FactorOut
from flowkit.bijectors.parts import require_bijector
from flowkit.supports.support import Support

__all__ = ["MultiScale"]

# What the levels prepared, and what the cuts did.
OfParts = tuple[list[Any], list[Any]]


class MultiScale(Bijector[Tensor, tuple[Tensor, ...]]):
    r"""Levels of bijectors, a part of the channels leaving as latents after every level but the last.

    .. math:: (x_l, z_l) = c_l(f_l(x_{l-1})), \quad l < L, \qquad z_L = f_L(x_{L-1}), \qquad x_0 = x

    with the levels :math:`f_l` and the cuts :math:`c_l`: an image maps to the tuple :math:`(z_1, \ldots, z_L)` of its
    levels' latents, finest first, and back. Any number of levels, any image size that the levels divide. Vectors, and
    events of any number of dimensions, likewise: the channels are the first one.

    Args:
        levels: the bijectors of the levels (each with its squeeze), finest first; at least one.
        factor_outs: what cuts the latents off between them, one fewer than there are levels.

    Raises:
        TypeError: a level or a cut is no bijector.
        ValueError: the numbers of levels and cuts, or their event dimensions, do not fit, one takes more values than
            the one before gives, or (when called) an event does not fit the levels.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, sec. 3.6.
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018,
        fig. 2b.

    Examples:
        >>> import torch
        >>> from flowkit import Squeeze, ZeroConv2d
        >>> flow = MultiScale([Squeeze(), Squeeze()], [FactorOut(12, ZeroConv2d(6, 12))])
        >>> flow.output_shape((3, 8, 12))
        ((6, 4, 6), (24, 2, 3))
        >>> latents, log_det = flow(torch.rand(2, 3, 8, 12))
        >>> [tuple(z.shape) for z in latents]
        [(2, 6, 4, 6), (2, 24, 2, 3)]
        >>> from flowkit import LULinear
        >>> cut = FactorOut(6, nn.Linear(3, 6), event_dims=1)
        >>> MultiScale([LULinear(6), LULinear(3)], [cut]).output_shape((6,))
        ((3,), (3,))
    """

    takes_context = False

    def __init__(self, levels: Sequence[Bijector[Tensor, Tensor]], factor_outs: Sequence[FactorOut] = ()) -> None:
        super().__init__()
        if not levels or len(factor_outs) != len(levels) - 1:
            raise ValueError(
                f"MultiScale got {len(levels)} levels and {len(factor_outs)} factor_outs; "
                "it needs at least one level and one factor_out between each two"
            )
        for part in (*levels, *factor_outs):
            require_bijector(part, "MultiScale")
        dims = [level.event_dims for level in levels] + [cut.event_dims for cut in factor_outs]
        if len(set(dims)) != 1:
            raise ValueError(
                f"MultiScale joins levels and factor_outs of the same event_dims, got {dims}: make the FactorOut with "
                f"event_dims={dims[0]}"
            )
        _require_real_latents(
            [part for pair in zip(levels[:-1], factor_outs, strict=True) for part in pair], levels[-1]
        )
        self.event_dims = dims[0]
        self._levels = nn.ModuleList(levels)
        self._factor_outs = nn.ModuleList(factor_outs)
        self.batch_dims = min((b.batch_dims for b in levels if b.batch_dims is not None), default=None)

    @property
    def levels(self) -> list[Bijector[Tensor, Tensor]]:
        """The levels' bijectors, finest first."""
        return list(self._levels)  # type: ignore[arg-type]

    @property
    def factor_outs(self) -> list[FactorOut]:
        """What cuts the latents off after each level but the last."""
        return list(self._factor_outs)  # type: ignore[arg-type]

    def output_shape(self, shape: Shape) -> Shape:
        """``C x H x W`` to the tuple of the latents' shapes, finest first."""
        latents = []
        for level, cut in zip(self.levels[:-1], self.factor_outs, strict=True):
            shapes = cut.output_shape(level.output_shape(shape))
            if len(shapes) != 2:
                raise ValueError(
                    f"a MultiScale's cut gives what goes on and the latents, {type(cut).__name__} gives events of the "
                    f"shapes {shapes}"
                )
            shape, latent = shapes
            latents.append(latent)
        return *latents, self.levels[-1].output_shape(shape)

    def input_shape(self, shape: Shape) -> Shape:
        """The tuple of the latents' shapes to ``C x H x W``."""
        single = any(isinstance(part, int) for part in shape)
        if single or len(shape) != len(self.levels):
            got = "a single tensor" if single else f"{len(shape)} latents"
            raise ValueError(f"MultiScale of {len(self.levels)} levels takes a latent for each, got {got}: {shape}")
        *latents, current = shape
        current = self.levels[-1].input_shape(current)
        for level, cut, latent in zip(
            reversed(self.levels[:-1]), reversed(self.factor_outs), reversed(latents), strict=True
        ):
            current = level.input_shape(cut.input_shape((current, latent)))
        return current

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the first level."""
        return self.levels[0].domain(dtype)

    def data_support(self) -> Support | None:
        """That of the first level."""
        return self.levels[0].data_support()

    def prepare(self, context: Any) -> OfParts:
        """What each level prepares, and each cut."""
        levels = [level.prepare(context) for level in self.levels]
        return levels, [cut.prepare(context) for cut in self.factor_outs]

    def _prepare_in_turn(self, context: Any) -> OfParts:
        return [InTurn(context)] * len(self.levels), [InTurn(context)] * len(self.factor_outs)

    def _forward(self, x: Tensor, prepared: OfParts) -> tuple[tuple[Tensor, ...], Tensor]:
        of_levels, of_cuts = prepared
        x, total = self.levels[0].run(x, of_levels[0])
        latents = []
        for cut, of_cut, level, of_level in zip(self.factor_outs, of_cuts, self.levels[1:], of_levels[1:], strict=True):
            (x, latent), log_det_cut = cut.run(x, of_cut)
            x, log_det = level.run(x, of_level)
            latents.append(latent)
            total = total + log_det_cut + log_det
        return (*latents, x), total

    def _inverse(self, z: tuple[Tensor, ...], prepared: OfParts) -> tuple[Tensor, Tensor]:
        *latents, x = z
        of_levels, of_cuts = prepared
        x, total = self.levels[-1].run(x, of_levels[-1], inverse=True)
        for cut, of_cut, level, of_level, latent in zip(
            reversed(self.factor_outs),
            reversed(of_cuts),
            reversed(self.levels[:-1]),
            reversed(of_levels[:-1]),
            reversed(latents),
            strict=True,
        ):
            x, log_det_cut = cut.run((x, latent), of_cut, inverse=True)
            x, log_det = level.run(x, of_level, inverse=True)
            total = total + log_det_cut + log_det
        return x, total


def _require_real_latents(before: list[Bijector[Any, Any]], last: Bijector[Any, Any]) -> None:
    """Refuse levels that do not fill the real line: all latents are scored alike."""
    lower, upper = interval_filled([*before, last], own_domain([*before, last]), "MultiScale")
    if before and (lower, upper) != REAL_LINE:
        raise ValueError(
            f"the last level of a MultiScale, {type(last).__name__}, gives latents in ({lower:g}, {upper:g}) and those "
            "cut off before are any real numbers: put a bijector of the interval onto real numbers after it"
        )
