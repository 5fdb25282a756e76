"""flowkit beside other libraries: views of their transforms and distributions, and views of flowkit's for them.

Each library has a module of its own, which is what imports it: :mod:`flowkit.interop.torch_transforms` and
:mod:`flowkit.interop.torch_distributions` (torch alone), :mod:`flowkit.interop.pyro` (the extra ``pyro``) and
:mod:`flowkit.interop.nflows` (the extra ``nflows``).
"""

__all__: list[str] = []
