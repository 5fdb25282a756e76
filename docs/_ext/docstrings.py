"""What a public name's docstring has to have, and which names lack what.

Every public class and function needs a summary. What takes or gives tensors also needs their shapes and an example
that is run. Bijectors, transforms, distributions and losses need a formula and a reference as well, and what they
raise where their code raises. A class may document these at its methods.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch.distributions as td
from torch import Tensor, nn

from flowkit.bijectors import Bijector
from flowkit.distributions import Distribution
from flowkit.transforms import Transform

__all__ = [
    "EXCEPTIONS",
    "PACKAGES",
    "SECTIONS",
    "has_docstring",
    "is_mathematics",
    "missing",
    "problems",
    "public_names",
    "required",
]

# Where users import from: a name that is public in two places is documented in the first of them.
PACKAGES = (
    "flowkit",
    "flowkit.bijectors",
    "flowkit.transforms",
    "flowkit.distributions",
    "flowkit.nn",
    "flowkit.models",
    "flowkit.losses",
    "flowkit.supports",
    "flowkit.surjections",
    "flowkit.ops",
    "flowkit.testing",
    "flowkit.testing.strategies",
    "flowkit.interop.nflows",
    "flowkit.interop.pyro",
    "flowkit.interop.torch_distributions",
    "flowkit_deflow",
)

SECTIONS: Mapping[str, re.Pattern[str]] = {
    "summary": re.compile(r"\A\S.*\.(\s|\Z)"),
    "formula": re.compile(r":math:`|\.\. math::"),
    "shapes": re.compile(
        r"\b(shapes?|dimensions?|channels?|features|elementwise|per sample|of each|scalar)\b|``[^`]* x [^`]*``"
    ),
    "raises": re.compile(r"^ *Raises:\n", re.MULTILINE),
    "references": re.compile(r"^ *References:\n", re.MULTILINE),
    "examples": re.compile(r"^ *Examples:\n(.*\n)*? *>>> ", re.MULTILINE),
}

_MATHEMATICS = (Bijector, Transform, Distribution, td.Distribution, td.Transform)

# The modules whose other modules and functions compute densities and losses.
_MATHEMATICAL_MODULES = (
    "flowkit.argmax_dequantization",
    "flowkit.dequantization",
    "flowkit.distributions.gaussian",
    "flowkit.fitting",
    "flowkit.flow",
    "flowkit.losses",
    "flowkit.models.named",
    "flowkit.surjections",
    "flowkit.variational_dequantization",
    "flowkit_deflow.method.closed_form",
    "flowkit_deflow.method.latents",
    "flowkit_deflow.restoration.losses",
)

# Sections that some names do without. Each has its reason above it.
EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    # Base classes and wrappers: formula and paper are those of what is made of them.
    "flowkit.Inverse": ("references",),
    "flowkit.bijectors.BoundBijector": ("formula", "references"),
    "flowkit.bijectors.ChannelBijector": ("formula", "references"),
    "flowkit.bijectors.ChannelMixing": ("references",),
    "flowkit.bijectors.Wrapper": ("formula", "references"),
    "flowkit.distributions.ChannelDistribution": ("formula", "references"),
    "flowkit.transforms.FixedTransform": ("references",),
    "flowkit.transforms.InverseTransform": ("references",),
    # A file's tensors by name, whatever their shapes.
    "flowkit_deflow.from_published": ("shapes",),
}


def public_names(packages: Iterable[str] = PACKAGES) -> Iterator[tuple[str, Any]]:
    """Every public name, qualified by the first package that has it, with what it stands for."""
    seen: set[tuple[str, int]] = set()
    for package in packages:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if (name, id(value)) not in seen:
                seen.add((name, id(value)))
                yield f"{package}.{name}", value


def has_docstring(value: Any) -> bool:
    """Whether a public value is a class or function of ours; a constant or a type's alias has no docstring."""
    ours = getattr(value, "__module__", "").partition(".")[0] in {name.partition(".")[0] for name in PACKAGES}
    return ours and (inspect.isclass(value) or inspect.isroutine(value))


def is_mathematics(value: Any) -> bool:
    """Whether a class or function is a bijector, a transform, a distribution, or computes a density or a loss."""
    if inspect.isclass(value) and issubclass(value, _MATHEMATICS):
        return True
    computes = inspect.isfunction(value) or issubclass(value, nn.Module)
    return computes and value.__module__.startswith(_MATHEMATICAL_MODULES)


def required(value: Any) -> list[str]:
    """The sections that a class's or function's docstrings have to have, in the order of ``SECTIONS``."""
    needed = {"summary"}
    if is_mathematics(value):
        needed |= {"formula", "references", "examples"}
        # A transform is a function of one number, whatever the shape.
        if not (inspect.isclass(value) and issubclass(value, Transform)):
            needed.add("shapes")
        if re.search(r"^ *raise \w", inspect.getsource(value), re.MULTILINE):
            needed.add("raises")
    elif any(_names_tensors(part) for part in _own_parts(value) if not _is_override(value, part)):
        needed |= {"shapes", "examples"}
    return [section for section in SECTIONS if section in needed]


def missing(value: Any) -> list[str]:
    """The required sections that a class's or function's docstrings lack."""
    own = inspect.cleandoc(value.__doc__ or "")
    if inspect.isclass(value):
        # A base class's docstring describes the base class.
        own = inspect.cleandoc(vars(value).get("__doc__") or "")
    whole = "\n\n".join([own, *(inspect.cleandoc(getattr(part, "__doc__", None) or "") for part in _own_parts(value))])
    return [name for name in required(value) if not SECTIONS[name].search(own if name == "summary" else whole)]


def problems(names: Iterable[tuple[str, Any]], exceptions: Mapping[str, tuple[str, ...]] = EXCEPTIONS) -> Iterator[str]:
    """What is wrong with the docstrings of public names, and with the exceptions, a line for each."""
    needed: set[tuple[str, str]] = set()
    for name, value in names:
        if not has_docstring(value):
            continue
        for section in missing(value):
            if section in exceptions.get(name, ()):
                needed.add((name, section))
            else:
                yield f"{name}: its docstring lacks {section}"
    for name, sections in exceptions.items():
        for section in sections:
            if (name, section) not in needed:
                yield f"{name}: {section} is excepted, but is there, or the name is gone: remove the exception"


def _own_parts(value: Any) -> Iterator[Any]:
    """A function itself; the public members that a class itself defines."""
    if not inspect.isclass(value):
        yield value
        return
    yield from (part for name, part in vars(value).items() if not name.startswith("_") or name == "__call__")


def _is_override(value: Any, part: Any) -> bool:
    """Whether a member is documented by a base class of ours, whose shapes are its own."""
    name = getattr(getattr(part, "fget", part), "__name__", "")
    return inspect.isclass(value) and any(name in vars(base) for base in value.__mro__[1:] if has_docstring(base))


def _names_tensors(part: Any) -> bool:
    """Whether a function's or property's annotations name a tensor."""
    function = inspect.unwrap(getattr(part, "fget", None) or getattr(part, "__func__", None) or part)
    return any(
        annotation is Tensor or "Tensor" in str(annotation)
        for annotation in getattr(function, "__annotations__", {}).values()
    )
