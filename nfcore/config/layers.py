"""Recipe files in layers: the values of a recipe override those of the recipe that it extends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nfcore.errors import UserError
from nfcore.io.toml_files import read_toml
from nfcore.plugin.manager import PluginManager

#: A recipe's key that names the recipe that it extends: a plugin's, or a TOML file next to it.
EXTENDS = "extends"


def read_recipe(name: str, manager: PluginManager) -> dict[str, Any]:
    """Return the values of a recipe: one that a plugin offers, or a TOML file.

    A recipe with ``extends = "OTHER"`` inherits the values of OTHER that it does not set itself. Tables are merged
    key by key; a component with another name replaces the component and its options.

    Raises:
        UserError: no such recipe, invalid TOML, or a recipe that extends itself.

    """
    values: dict[str, Any] = {}
    for _, own in read_layers(name, manager):
        values = overridden(values, own)
    return values


def read_layers(name: str, manager: PluginManager) -> list[tuple[str, dict[str, Any]]]:
    """Return a recipe's name with the values that it sets itself, after those of all recipes that it extends.

    Raises:
        UserError: as ``read_recipe``.

    """
    return _read(name, Path(), manager, ())


def overridden(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``values`` in place of its own, merged table by table.

    >>> overridden({"distill": {"steps": 10, "batch": 8}}, {"distill": {"steps": 99}})
    {'distill': {'steps': 99, 'batch': 8}}
    """
    return base | {key: _overridden(base.get(key), value) for key, value in values.items()}


def same_component(name: str, other: str) -> bool:
    """Whether two names mean the same component.

    >>> same_component("voxels", "nfcore-teachers/voxels")
    True
    """
    (distribution, _, bare), (other_distribution, _, other_bare) = name.rpartition("/"), other.rpartition("/")
    return bare == other_bare and (distribution == other_distribution or "" in (distribution, other_distribution))


def component_name(choice: Any) -> str:
    """Return the name of a chosen component, which is a name or a table with one; empty if there is none."""
    return str(choice.get("name", "")) if isinstance(choice, dict) else str(choice or "")


def _read(
    name: str, folder: Path, manager: PluginManager, extending: tuple[Path, ...]
) -> list[tuple[str, dict[str, Any]]]:
    path = folder / name if name.endswith(".toml") else manager.recipe(name).path
    values = read_toml(path)
    base = values.pop(EXTENDS, None)
    if base is None:
        return [(name, values)]
    if not isinstance(base, str):
        raise UserError(f"{path}: {EXTENDS} must be a recipe's name or a TOML file, not {base!r}")
    if path in extending:
        raise UserError(f"{path}: extends itself, through {', '.join(p.name for p in extending)}")
    return [*_read(base, path.parent, manager, (*extending, path)), (name, values)]


def _overridden(base: Any, value: Any) -> Any:
    if isinstance(base, str):  # a component's name without options
        base = {"name": base}
    if not (isinstance(base, dict) and isinstance(value, dict)):
        return value
    if "name" in value and not same_component(component_name(value), component_name(base)):
        return value
    return overridden(base, value)
