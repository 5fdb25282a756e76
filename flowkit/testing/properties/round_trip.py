"""Each direction undoes the other."""

from collections.abc import Iterator

import torch

from flowkit.testing.properties.tolerances import ROUNDING
from flowkit.testing.property import Measurement, Property
from flowkit.testing.subject import Subject
from flowkit.testing.values import difference

__all__ = ["PROPERTIES"]

BECAUSE = (
    "float64 rounds at 1e-16; condition numbers up to 1e3, some 20 layers with scales within e^(+-3) and iterative "
    "inverses that stop at 1e-10 leave less than 1e-9, while float32 somewhere inside costs 1e-7 and the smallest real "
    "mistake (an epsilon in one direction only) 1e-6"
)


def _from_data(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample()
    with torch.no_grad():
        z, _ = subject.bijector(sample.x, sample.context)
        x, _ = subject.bijector.inverse(z, sample.context)
    yield Measurement(difference(x, sample.x, "inverse(forward(x))"), "inverse(forward(x)) against x")


def _from_latents(subject: Subject) -> Iterator[Measurement]:
    sample = subject.sample()
    with torch.no_grad():
        x, _ = subject.bijector.inverse(sample.z, sample.context)
        z, _ = subject.bijector(x, sample.context)
    yield Measurement(difference(z, sample.z, "forward(inverse(z))"), "forward(inverse(z)) against z")


PROPERTIES = (
    Property(
        "round_trip_of_data",
        "inverse(forward(x)) is x, for data within the domain.",
        ROUNDING,
        BECAUSE,
        _from_data,
    ),
    Property(
        "round_trip_of_latents",
        "forward(inverse(z)) is z, for latents drawn at random within the codomain: generating need not pass through "
        "values that data were encoded to.",
        ROUNDING,
        "as for round_trip_of_data",
        _from_latents,
    ),
)
