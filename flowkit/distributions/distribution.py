"""The interface of base distributions."""

import warnings
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from flowkit.bijector import Shape
from flowkit.conditions import refuse_arrays, require_drawable, require_number
from flowkit.naming import named
from flowkit.recorded import Recorded

__all__ = ["Distribution", "normal_like"]

Z = TypeVar("Z")


class Distribution(Recorded, nn.Module, ABC, Generic[Z]):
    r"""A distribution :math:`p_Z(z \mid l)` over latents: a tensor, or the whole tuple of a multi-scale flow's levels.

    A subclass writes :meth:`_log_prob` and :meth:`_sample`.

    Attributes:
        has_rsample: whether the gradient of a sample reaches all parameters; ``False`` for a distribution that picks a
            component at random, or rejects samples.
        takes_label: whether it is conditioned on a label; one that is not refuses a label.
        label_dims: trailing dimensions of the label of one sample: 0 for class numbers, 1 for vectors.

    References:
        G. Papamakarios, E. Nalisnick, D. J. Rezende, S. Mohamed, B. Lakshminarayanan, "Normalizing Flows for
        Probabilistic Modeling and Inference", JMLR 2021.

    Examples:
        >>> from flowkit import StandardNormal
        >>> base = StandardNormal(event_dims=1)
        >>> base.log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """

    has_rsample: bool = True
    takes_label: bool = False
    label_dims: int = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _take_methods_of_version_0_1(cls)

    def log_prob(self, z: Z, label: Any = None) -> Tensor:
        """Log-density, one number per sample (natural log, at least float32).

        Args:
            z: the latents, ``batch x event`` each.
            label: what the distribution is conditioned on, if it is (a class, a domain).

        Raises:
            ValueError: a label is given to a distribution that takes none, or does not fit.
        """
        refuse_arrays(latent=z)
        self._check_label(label)
        return self._log_prob(z, label)

    def sample(
        self,
        batch: int,
        shape: Shape,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Z:
        """Draw latents, without gradients.

        Args:
            batch: the number of samples.
            shape: the event shape, or the tuple of the levels' event shapes.
            label: as for ``log_prob``.
            temperature: factor on the deviation from the mean, >= 0.
            generator: source of randomness; PyTorch's global one if ``None``. A CPU generator serves any device
                and gives the same numbers on each.

        Returns:
            A tensor ``batch x shape``, or a tuple of them for a tuple of shapes.

        Raises:
            TypeError: an argument is of another type.
            ValueError: the number or the temperature is negative, or a label is given to a distribution that takes
                none, or does not fit.
        """
        require_number(batch, shape)
        require_drawable(temperature, generator)
        self._check_label(label)
        with torch.no_grad():
            return self._sample(batch, shape, label, temperature, generator)

    def rsample(
        self,
        batch: int,
        shape: Shape,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Z:
        """Draw latents as a differentiable function of the parameters and of noise; otherwise as :meth:`sample`.

        Raises:
            NotImplementedError: the distribution, or a part of it, has no ``has_rsample``.
            ValueError: as for :meth:`sample`.
        """
        require_number(batch, shape)
        require_drawable(temperature, generator)
        self._check_label(label)
        if not self.is_reparametrised:
            raise NotImplementedError(
                f"{type(self).__name__} does not draw its samples as a function of its parameters, so that "
                "gradients would leave a part out: use sample, which has none"
            )
        return self._sample(batch, shape, label, temperature, generator)

    def sample_and_log_prob(
        self,
        batch: int,
        shape: Shape,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Z, Tensor]:
        """What :meth:`sample` draws and its log-density (of temperature 1), both without gradients."""
        with torch.no_grad():
            z = self.sample(batch, shape, label, temperature, generator)
            return z, self._log_prob(z, label)

    def rsample_and_log_prob(
        self,
        batch: int,
        shape: Shape,
        label: Any = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Z, Tensor]:
        """What :meth:`rsample` draws and its log-density (of temperature 1), both with gradients."""
        z = self.rsample(batch, shape, label, temperature, generator)
        return z, self._log_prob(z, label)

    @property
    def is_reparametrised(self) -> bool:
        """Whether :meth:`rsample` is there: ``has_rsample`` of this distribution and of all that it is made of."""
        return all(getattr(part, "has_rsample", True) for part in self.modules())

    @abstractmethod
    def _log_prob(self, z: Z, label: Any) -> Tensor:
        """``log_prob``, the label being ``None`` where the distribution takes none."""

    @abstractmethod
    def _sample(self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None) -> Z:
        """``sample``, differentiable where ``has_rsample``; the label is ``None`` where none is taken."""

    def support(self, event_dims: int) -> constraints.Constraint:
        """Where the density may be positive; everywhere, unless a subclass says otherwise.

        Args:
            event_dims: dimensions of one event.

        Returns:
            A constraint whose ``event_dim`` is ``event_dims``.
        """
        return constraints.independent(constraints.real, event_dims)

    def _check_label(self, label: Any) -> None:
        if label is not None and not self.takes_label:
            raise ValueError(
                f"{type(self).__name__} takes no label, got {named(label)}: leave it out, or take a base that depends "
                "on one, as ClassConditional or ConditionalNormal; what the bijector is conditioned on is context="
            )


def _take_methods_of_version_0_1(cls: type[Distribution[Any]]) -> None:
    """Let a subclass written for version 0.1, whose ``log_prob`` and ``sample`` do the work, go on working."""
    for public, hook in (("log_prob", "_log_prob"), ("sample", "_sample")):
        method = vars(cls).get(public)
        if method is None or hook in vars(cls):
            continue
        warnings.warn(
            f"{cls.__name__} overrides {public}: name the method {hook}, and set takes_label if it takes a label. "
            "flowkit 0.3 takes it by that name alone",
            DeprecationWarning,
            stacklevel=4,
        )
        setattr(cls, hook, method)
        delattr(cls, public)
        cls.takes_label = True


def normal_like(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    r"""Numbers :math:`\epsilon \sim N(0, I)` of the dtype and device of ``like``, drawn on the generator's own device.

    Args:
        shape: shape of the result.
        like: a tensor whose dtype and device are taken.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A tensor of that shape.

    Examples:
        >>> normal_like((2, 3), torch.zeros(1, dtype=torch.float64)).dtype
        torch.float64
    """
    device = like.device if generator is None else generator.device
    return torch.randn(shape, dtype=like.dtype, device=device, generator=generator).to(like.device)
