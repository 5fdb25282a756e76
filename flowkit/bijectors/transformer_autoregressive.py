"""An autoregressive layer over the positions of an image, by a transformer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Interval, sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.conditioner import prepare_conditioner
from flowkit.bijectors.decoding import Decoding, SequentialDecoding
from flowkit.bijectors.parts import require_transform
from flowkit.half_precision import cast_for, first_parameter, in_full_precision, map_floating
from flowkit.nn.tokens import image_of, tokens_of
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.transforms.affine import Affine
from flowkit.transforms.transform import Transform, split_parameters

__all__ = ["TransformerAutoregressive"]


class TransformerAutoregressive(ChannelBijector):
    r"""An autoregressive layer over positions: all channels of one are transformed given the positions before it.

    .. math:: z_i = T(x_i;\, \theta_i(x_{<i}, c)), \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right| = \sum_i \log |T'(x_i)|,

    positions :math:`i` row by row. It is a block of TarFlow: squeezed images (:class:`~flowkit.Squeeze`) have patches
    for positions, and every other block takes them in reverse. ``forward`` is one pass of the network. ``inverse``
    finds position after position, by default at the cost of about one pass in many small steps.

    In training mode the network runs in the precision around it, under autocast or in half precision. After ``eval()``
    it computes in float32 at least, since a rounding to half precision would grow from position to position and differ
    between the two directions.

    Args:
        channels: of the image, the entries of a token; at least 1.
        conditioner: a network as :class:`~flowkit.nn.CausalTransformer`: called with tokens ``batch x n x channels``,
            what its ``prepare(context)`` returned, and perhaps a cache of its ``new_cache()``.
        transform: the elementwise transform; :class:`~flowkit.Affine` by default, whose scale is bounded (TarFlow's is
            not).
        reverse: whether the positions are taken from the last to the first; a context, an image, is turned round
            likewise.
        decoding: how ``inverse`` finds the positions; :class:`SequentialDecoding` by default.

    Raises:
        ValueError: a transform without parameters; or (when called) an image of other channels or positions.

    References:
        Zhai, Zhang, Nakkiran, Berthelot, Gu, Zheng, Chen, Bautista, Jaitly and Susskind, "Normalizing flows are capable
        generative models", ICML 2025, sec. 2.

    Examples:
        >>> from flowkit.nn import CausalTransformer
        >>> layer = TransformerAutoregressive(3, CausalTransformer(3, 2, (4, 2), width=16, layers=1))
        >>> x = torch.rand(5, 3, 4, 2)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-6)
        True
    """

    def __init__(
        self,
        channels: int,
        conditioner: nn.Module,
        transform: Transform | None = None,
        reverse: bool = False,
        decoding: Decoding | None = None,
    ) -> None:
        super().__init__(channels, event_dims=3)
        self.conditioner = conditioner
        self.transform = Affine() if transform is None else transform
        require_transform(self.transform, "TransformerAutoregressive")
        self.reverse = reverse
        self.decoding = SequentialDecoding() if decoding is None else decoding

    def domain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.domain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """That of the transform."""
        return self.transform.codomain(dtype)

    def prepare(self, context: Any) -> Any:
        """What the conditioner computes from the context alone."""
        parameter = first_parameter(self)
        context = map_floating(self._turned, context)
        if not self.training:
            # Under autocast, what an encoder before gave is in half precision.
            context = map_floating(at_least_float32, context)
        with self._precision(torch.device("cpu") if parameter is None else parameter.device):
            return prepare_conditioner(self.conditioner, context)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = at_least_float32(x)
        with self._precision(x.device):
            tokens = tokens_of(self._turned(x))
            z, log_derivative = self.transform(tokens, self._parameters_of(prepared)(tokens))
            return self._image(z, x), sum_event(log_derivative, 2, like=tokens)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = at_least_float32(z)
        with self._precision(z.device):
            latents = tokens_of(self._turned(z))
            x, log_derivative = self.decoding(
                self._parameters_of(prepared), self.transform.inverse, latents, self._new_cache
            )
            return self._image(x, z), sum_event(log_derivative, 2)

    def _parameters_of(self, prepared: Any) -> Callable[..., tuple[Tensor, ...]]:
        """The transform's parameters as a function of tokens, and of a cache."""
        network = self.conditioner if self.training else in_full_precision(self.conditioner)
        count = self.transform.parameters_per_element

        # Its result's type as a string: torch before 2.11 traces no subscripted one.
        def parameters(tokens: Tensor, cache: Any = None) -> "tuple[Tensor, ...]":
            given = cast_for(self.conditioner, tokens) if self.training else tokens
            raw = network(given, prepared, cache)
            return self.transform.constrain(split_parameters(raw, count, 1, self.channels))

        return parameters

    def _new_cache(self) -> Any:
        # Not asked for where the conditioner decodes without one.
        return self.conditioner.new_cache()  # type: ignore[operator]

    def _precision(self, device: torch.device) -> AbstractContextManager[object]:
        return nullcontext() if self.training else without_autocast(device)

    def _turned(self, image: Tensor) -> Tensor:
        """The positions in the layer's order."""
        return image.flip(-2, -1) if self.reverse else image

    def _image(self, tokens: Tensor, like: Tensor) -> Tensor:
        return self._turned(image_of(tokens, (like.shape[-2], like.shape[-1])))
