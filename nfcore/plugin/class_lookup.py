"""Checks that a component's class exists without importing its module, which may need torch."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from nfcore.errors import nearest


def missing(target: str) -> str | None:
    """Return why ``package.module:Class`` can't be loaded, as far as its source shows, or None."""
    module, _, attribute = target.partition(":")
    path: Sequence[str] | None = None
    spec = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        spec = _find(name, path)
        if spec is None:
            return f"ModuleNotFoundError: No module named {name!r}"
        path = spec.submodule_search_locations
        if path is None and depth < len(parts):
            return f"ModuleNotFoundError: {name!r} is not a package, so there is no {module!r}"
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        return _missing_in(Path(spec.origin).read_bytes(), attribute.partition(".")[0], module)
    except (OSError, ValueError):
        return None


def _find(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Return what ``importlib.util.find_spec`` would, which imports the packages above ``name``."""
    if name in sys.modules:
        return sys.modules[name].__spec__
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None


def _missing_in(source: bytes, name: str, module: str) -> str | None:
    # Almost every class is found by its definition; parsing is 20 times slower, and there may be many plugins.
    if re.search(rf"^\s*class {name}\b".encode(), source, re.MULTILINE):
        return None
    try:
        names = set(_names_bound(ast.parse(source)))
    except SyntaxError as error:
        return f"SyntaxError: {error}"
    if name in names or names & {"*", "__getattr__", "globals"}:
        return None
    return f"AttributeError: {module} has no {name!r}; {nearest(name, {n for n in names if n[:1].isupper()})}"


def _names_bound(tree: ast.Module) -> Iterable[str]:
    """Yield every name defined, imported or assigned at any depth, and what defines names dynamically."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name
            case ast.alias():
                yield node.asname or node.name.partition(".")[0]
            case ast.Name(id=name) if isinstance(node.ctx, ast.Store) or name == "globals":
                yield name
