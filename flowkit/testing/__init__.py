"""The contract as a public check: anyone's bijector or stochastic map, property by property."""

from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.check import check_bijector, run_checks
from flowkit.testing.inversion import inverted, inverted_case
from flowkit.testing.properties import PROPERTIES
from flowkit.testing.property import Measurement, Property
from flowkit.testing.report import Report, Row
from flowkit.testing.stochastic_maps import MapCase, MapSubject, check_stochastic_map
from flowkit.testing.subject import Subject
from flowkit.testing.violation import ContractViolation

__all__ = [
    "PROPERTIES",
    "Case",
    "ContractViolation",
    "Draw",
    "Entry",
    "MapCase",
    "MapSubject",
    "Measurement",
    "Property",
    "Report",
    "Row",
    "Subject",
    "check_bijector",
    "check_stochastic_map",
    "inverted",
    "inverted_case",
    "run_checks",
]
