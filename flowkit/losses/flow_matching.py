"""Flow matching: a continuous flow trained without solving its equation."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.flow import Flow
from flowkit.half_precision import require_alike
from flowkit.losses.transport import Transport
from flowkit.naming import named
from flowkit.ops.precision import at_least_float32

__all__ = ["conditional_flow_matching"]


def conditional_flow_matching(
    flow: Flow,
    x: Tensor,
    context: Any = None,
    label: Any = None,
    transport: Transport | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""The squared error of a continuous flow's velocity against straight ways from data to latents.

    .. math:: \mathbb E_{t,\, (x, z)} \left\|  f_\theta(t T,\, (1 - t)\, x + t\, z,\, c) - (z - x) / T  \right\|^2,
              \qquad t \sim U[0, 1]

    The field that minimises it carries the data's distribution to the base distribution: flows trained so are sampled
    and scored by their equation, as others are, and no equation is solved in training. (Time runs from data to latents,
    as in :class:`~flowkit.NeuralODE`.)

    Data and latents are paired at random, or by optimal transport within the batch, which straightens the ways and
    lowers the loss's variance. A latent must stay independent of the context: by transport it changes places only with
    those of the same context and label, so that it matters for classes, and not for contexts that are all different.

    Args:
        flow: its bijector is a :class:`~flowkit.NeuralODE`, or a chain that ends in one; what stands before it, such as
            a standardisation, is applied to the data and gets no gradients. :func:`flowkit.flow_matching` makes one.
        x: data, ``n x event``, at least one.
        context: what the field is conditioned on: ``n`` rows, or one for all.
        label: what the base distribution is conditioned on; likewise.
        transport: how data and latents are paired: :class:`ExactTransport`, :class:`SinkhornTransport`; ``None``
            for at random.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A scalar, in squared units of the data per unit of time.

    Raises:
        TypeError: the first argument is no flow, ``transport`` no :class:`Transport`, or the data are no tensor of the
            flow's precision.
        ValueError: there is no data, it is not what the flow takes, or the bijector does not end in a continuous one;
            with transport, a context or label that is no tensor.

    References:
        Lipman et al., "Flow matching for generative modeling", ICLR 2023, eq. 9; Tong et al., "Improving and
        generalizing flow-based generative models with minibatch optimal transport", TMLR 2024; what
        pairing across contexts would spoil: Cheng and Schwing, "The curse of conditions", 2025.

    Examples:
        >>> import flowkit
        >>> flow = flowkit.flow_matching(2, hidden=(16,), steps=5)
        >>> conditional_flow_matching(flow, torch.randn(100, 2)).shape
        torch.Size([])
    """
    if not isinstance(flow, Flow):
        raise TypeError(f"conditional_flow_matching takes a flow and data, got {named(flow)} for the flow")
    if transport is not None and not isinstance(transport, Transport):
        raise TypeError(f"transport is {named(transport)}; it is ExactTransport(), SinkhornTransport() or None")
    x = flow._matched(x, context, label)
    flow.bijector._require_data(x, context)
    require_alike(flow.bijector, data=x)
    if x.ndim != flow.bijector.event_dims + 1 or not len(x):
        raise ValueError(
            f"conditional_flow_matching takes data n x event, of {flow.bijector.event_dims} event dimensions and at "
            f"least one sample, got a tensor of shape {tuple(x.shape)}"
        )
    ode, x, context = _where_it_starts(flow, x, context)
    x = at_least_float32(x)
    z = flow.base.sample(len(x), tuple(x.shape[1:]), label, generator=generator).to(x)
    if transport is not None:
        conditions = [
            rows
            for value, dims in ((context, flow.context_dims), (label, flow.label_dims))
            if (rows := _rows(value, dims, len(x))) is not None
        ]
        z = z[_paired(transport, x, z, conditions, generator)]
    device = x.device if generator is None else generator.device
    t = torch.rand(len(x), dtype=x.dtype, device=device, generator=generator).to(x.device)
    t = t.reshape(-1, *(1,) * (x.ndim - 1))
    velocity = ode.velocity(t * ode.time, x + t * (z - x), context)
    return (velocity - (z - x) / ode.time).square().flatten(1).sum(-1).mean()


def _where_it_starts(flow: Flow, x: Tensor, context: Any) -> tuple[NeuralODE, Tensor, Any]:
    """The continuous bijector that a flow ends in, the data where its way starts, and its context."""
    *before, last = flow.bijector._steps(context)
    # Hooks keep a composition together that is a part of another.
    while not last.inverse and (inner := last.bijector._steps(last.context))[-1].bijector is not last.bijector:
        before, last = [*before, *inner[:-1]], inner[-1]
    if not isinstance(last.bijector, NeuralODE) or last.inverse:
        raise ValueError(
            "flow matching trains flows whose bijector is a NeuralODE, or a Chain that ends in one, got "
            f"{type(last.bijector).__name__}: take flowkit.flow_matching(...), or forward_kl as the loss"
        )
    with torch.no_grad():
        for step in before:
            x, _ = step.run(x, step.prepare())
    return last.bijector, x, last.context


def _rows(condition: Any, dims: int | None, number: int) -> Tensor | None:
    """A condition of so many samples as a matrix; ``None`` where all have the same."""
    if condition is None or isinstance(condition, int):
        return None
    if not isinstance(condition, Tensor):
        raise ValueError(
            f"transport pairs within equal contexts and labels, which are tensors, got a {type(condition).__name__}: "
            "leave transport out"
        )
    batch = condition.ndim - (condition.ndim - 1 if dims is None else dims)
    if batch < 1 or len(condition) != number:
        return None
    return condition.detach().reshape(number, -1).double()


def _paired(
    transport: Transport, x: Tensor, z: Tensor, conditions: list[Tensor], generator: torch.Generator | None
) -> Tensor:
    """For each datum the index of its latent, among those of the same conditions."""
    if not conditions:
        return transport(x, z, generator)
    _, group = torch.cat(conditions, -1).unique(dim=0, return_inverse=True)
    index = torch.arange(len(x), device=x.device)
    for number, size in enumerate(group.bincount().tolist()):
        if size > 1:
            members = (group == number).nonzero().squeeze(-1)
            index[members] = members[transport(x[members], z[members], generator)]
    return index
