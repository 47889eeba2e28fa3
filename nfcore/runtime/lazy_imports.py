"""Names of a package that are imported on first use, so that listing plugins never waits for torch."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable

_IMPORT = re.compile(r"^    from (\S+) import (\w+) as \2$", re.MULTILINE)


def lazy_names(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` (PEP 562) and ``__all__`` of the package with this ``__name__``.

    Its names are those that it imports for type checkers, each in a line of its own under ``if TYPE_CHECKING``:
    ``from package.module import name as name``. They are read from its source, so that they are listed once.
    """
    module = sys.modules[package]
    source = module.__spec__.loader.get_source(package)  # type: ignore[union-attr]
    homes = {name: home for home, name in _IMPORT.findall(source)}
    listed = sorted(homes)

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(module, name, value)
        return value

    return load, lambda: listed, listed
