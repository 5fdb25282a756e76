"""How an autoregressive layer over tokens finds them: one after the other, or all at once until they agree."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.argument_types import require_types
from flowkit.ops.values import readable
from flowkit.recorded import Recorded

__all__ = ["Decoding", "JacobiDecoding", "SequentialDecoding", "use_decoding"]

# From tokens (and a cache of the tokens before) to the parameters of their transform.
Parameters = Callable[..., tuple[Tensor, ...]]
# From known tokens and parameters to the tokens that are sought, and the log-derivatives.
Solve = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, Tensor]]


class Decoding(Recorded, ABC):
    r"""A way to the tokens :math:`x` for which :math:`x_i = T^{-1}(z_i;\, \theta_i(x_{<i}))`.

    Examples:
        >>> class AsManyPasses(Decoding):
        ...     def __call__(self, parameters, solve, z, new_cache):
        ...         x = z
        ...         for _ in range(z.shape[-2]):
        ...             x, log_derivative = solve(z, parameters(x))
        ...         return x, log_derivative.expand_as(z)
        >>> shift = lambda x, cache=None: (torch.cat([x[..., :1, :] * 0, x[..., :-1, :]], -2),)
        >>> x, _ = AsManyPasses()(shift, lambda z, p: (z + p[0], torch.zeros(())), torch.ones(3, 1), None)
        >>> x.flatten()
        tensor([1., 2., 3.])
    """

    @abstractmethod
    def __call__(
        self, parameters: Parameters, solve: Solve, z: Tensor, new_cache: Callable[[], Any]
    ) -> tuple[Tensor, Tensor]:
        """The tokens.

        Args:
            parameters: from tokens ``batch x n x D`` to the parameters of all; or from the last token and a cache to
                those of the next.
            solve: the transform's inverse.
            z: the latents, ``batch x n x D``.
            new_cache: makes an empty cache.

        Returns:
            The tokens and the elementwise log-derivatives, of the shape of ``z``.
        """


class SequentialDecoding(Decoding):
    """One token after the other, each at the cost of one: keys and values of those before are kept.

    References:
        Zhai et al., "Normalizing flows are capable generative models", ICML 2025, sec. 2; keys and values that are
        kept: Shazeer, "Fast transformer decoding: one write-head is all you need", 2019.

    Examples:
        >>> from flowkit.nn import CausalTransformer
        >>> from flowkit.bijectors import TransformerAutoregressive
        >>> network = CausalTransformer(3, 2, (2, 2), width=8, layers=1)
        >>> layer = TransformerAutoregressive(3, network, decoding=SequentialDecoding())
        >>> layer.inverse(torch.randn(5, 3, 2, 2))[0].shape
        torch.Size([5, 3, 2, 2])
    """

    def __call__(
        self, parameters: Parameters, solve: Solve, z: Tensor, new_cache: Callable[[], Any]
    ) -> tuple[Tensor, Tensor]:
        """The tokens by as many steps as there are."""
        cache = new_cache()
        known = z[..., :0, :]
        found, log_derivatives = [], []
        for latent in z.split(1, -2):
            known, log_derivative = solve(latent, parameters(known, cache))
            found.append(known)
            log_derivatives.append(log_derivative.expand_as(known))
        return torch.cat(found, -2), torch.cat(log_derivatives, -2)


class JacobiDecoding(Decoding):
    r"""All tokens at once from what they were, again and again: :math:`x^{(k+1)} = T^{-1}(z;\, \theta(x^{(k)}))`.

    After :math:`k` passes the first :math:`k` tokens are right, whatever the others were, so that ``n`` passes give the
    sequential result. Where tokens depend on those before them only weakly, all are right much sooner, and each pass
    runs in parallel. With gradients, in compiled code and under ``torch.func``, where the derivative of fewer passes
    would be another, or no value can be looked at, all ``n`` are run.

    Args:
        tolerance: it ends when no value moves by more than this, times 1 plus its size, >= 0; ``None`` for ten times
            the rounding of the type.

    Raises:
        ValueError: ``tolerance`` is negative.

    References:
        Song, Meng, Liao and Ermon, "Accelerating feedforward computation via parallel nonlinear equation solving", ICML
        2021 (Jacobi iterations).

    Examples:
        >>> from flowkit.nn import CausalTransformer
        >>> from flowkit.bijectors import TransformerAutoregressive
        >>> network = CausalTransformer(3, 2, (2, 2), width=8, layers=1)
        >>> layer = TransformerAutoregressive(3, network, decoding=JacobiDecoding())
        >>> layer.inverse(torch.randn(5, 3, 2, 2))[0].shape
        torch.Size([5, 3, 2, 2])
    """

    def __init__(self, tolerance: float | None = None) -> None:
        if tolerance is not None and not tolerance >= 0:
            raise ValueError(f"tolerance is {tolerance}; it must be at least 0")
        self.tolerance = tolerance

    def __call__(
        self, parameters: Parameters, solve: Solve, z: Tensor, new_cache: Callable[[], Any]
    ) -> tuple[Tensor, Tensor]:
        """The tokens by at most as many passes as there are."""
        tolerance = 10 * torch.finfo(z.dtype).eps if self.tolerance is None else self.tolerance
        may_end = readable(z) and not torch.is_grad_enabled()
        x = z
        for _ in range(z.shape[-2]):
            before = x
            x, log_derivative = solve(z, parameters(before))
            if may_end and bool(((x - before).abs() <= tolerance * (1 + x.abs())).all()):
                break
        return x, log_derivative.expand_as(z)


def use_decoding(module: nn.Module, decoding: Decoding) -> None:
    r"""Set how the autoregressive layers over positions in a model find :math:`x` with :math:`f(x) = z`.

    Args:
        module: a flow, a bijector, or any module that contains some.
        decoding: :class:`SequentialDecoding` or :class:`JacobiDecoding`.

    Raises:
        ValueError: there is no such layer in it.

    Examples:
        >>> import flowkit
        >>> from flowkit.bijectors import JacobiDecoding
        >>> flow = flowkit.tarflow((1, 4, 4), blocks=2, layers=1, width=8)
        >>> use_decoding(flow, JacobiDecoding())
    """
    require_types(use_decoding, (module, decoding), {})
    found = [part for part in module.modules() if isinstance(getattr(part, "decoding", None), Decoding)]
    if not found:
        raise ValueError(f"{type(module).__name__} contains no TransformerAutoregressive, whose decoding could be set")
    for part in found:
        # Set so, since a module's attributes are tensors and modules to the type checker.
        setattr(part, "decoding", decoding)  # noqa: B010
