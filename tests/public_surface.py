"""The public surface as text: one line for each name, with its signature, so that a change of it can be seen.

It is what ``nfcore`` and the packages that its docstring names list, the hooks, and the interfaces' levels.
At a release, ``python tests/public_surface.py > tests/public_surface.txt`` makes the new surface the one that
changes are measured against.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import is_typeddict

import nfcore
from nfcore import hookspecs
from nfcore.plugin.components import INTERFACE_LEVELS


def surface() -> dict[str, str]:
    """Return the signature of every public name, such as ``LightField.render``."""
    found = {f"level of {kind}": str(level) for kind, level in INTERFACE_LEVELS.items()}
    for name in nfcore.__all__:
        found |= _described(name, getattr(nfcore, name))
    for package, module in packages().items():
        found[f"nfcore.{package}"] = "package"
        for name in module.__all__:
            found |= _described(f"nfcore.{package}.{name}", getattr(module, name))
    for name, hook in vars(hookspecs).items():
        if name.startswith("nfcore_"):
            found[name] = f"hook {inspect.signature(hook)}"
    return dict(sorted(found.items()))


def packages() -> dict[str, ModuleType]:
    """Return the public packages, by their name within ``nfcore``."""
    names = re.findall(r"^- ``nfcore\.(\w+)``: ", nfcore.__doc__ or "", re.MULTILINE)
    return {name: importlib.import_module(f"nfcore.{name}") for name in names}


def _described(name: str, value: object) -> Iterator[tuple[str, str]]:
    if inspect.isroutine(value):
        yield name, str(inspect.signature(value))
    elif is_typeddict(value):
        yield name, "keyword arguments"
        yield from _members(name, value)
    elif not inspect.isclass(value):
        yield name, str(value) if type(value).__module__ == "typing" else type(value).__name__
    else:
        signature = "" if issubclass(value, Exception) else inspect.signature(value)
        yield name, f"class of {', '.join(base.__name__ for base in value.__bases__)} {signature}".rstrip()
        for cls in value.__mro__:
            if cls.__module__.partition(".")[0] == "nfcore":
                yield from _members(name, cls)


def _members(name: str, cls: type) -> Iterator[tuple[str, str]]:
    """Yield what a class itself adds: fields and attributes by their annotations, then methods but for tests."""
    for attribute, annotation in inspect.get_annotations(cls).items():
        if not attribute.startswith("_"):
            yield f"{name}.{attribute}", str(annotation)
    for attribute, member in vars(cls).items():
        if attribute.startswith(("_", "test_")):
            continue
        abstract = "abstract " if getattr(member, "__isabstractmethod__", False) else ""
        if isinstance(member, property):
            yield f"{name}.{attribute}", f"{abstract}property{inspect.signature(member.fget)}"
        elif isinstance(member, classmethod | staticmethod):
            kind = type(member).__name__
            yield f"{name}.{attribute}", f"{abstract}{kind} {inspect.signature(member.__func__)}"
        elif inspect.isfunction(member):
            yield f"{name}.{attribute}", f"{abstract}{inspect.signature(member)}"


if __name__ == "__main__":
    lines = [f"{name}: {signature}\n" for name, signature in surface().items()]
    sys.stdout.write(f"version: {nfcore.__version__}\n{''.join(lines)}")
