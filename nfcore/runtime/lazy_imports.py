"""Names of a package that are imported on first use, so that listing plugins never waits for torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence


def lazy_names(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return a package's ``__getattr__``, ``__dir__`` (PEP 562) and ``__all__``.

    A type checker doesn't run this: under ``if TYPE_CHECKING`` the package imports the same names as usual.

    Args:
        package: its ``__name__``.
        homes: its names, by the module that defines them.

    """
    modules = {name: module for module, names in homes.items() for name in names}
    listed = sorted(modules)

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: listed, listed
