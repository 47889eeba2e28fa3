"""Recipe files: the values of a recipe, laid over those of the recipe that it extends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nfcore.errors import UserError
from nfcore.io.atomic import read_toml
from nfcore.plugin.manager import PluginManager

#: A recipe's key that names the recipe it begins with: a plugin's, or a TOML file beside it.
EXTENDS = "extends"


def read_recipe(name: str, manager: PluginManager) -> dict[str, Any]:
    """Return the values of a recipe: one that a plugin offers, or a TOML file.

    A recipe with ``extends = "OTHER"`` has the values of OTHER where it gives none itself. Tables are merged key
    by key; a component with another name replaces the whole component, since the options belong to that.

    Raises:
        UserError: no such recipe, not valid TOML, or a recipe that extends itself.

    """
    values: dict[str, Any] = {}
    for _, own in read_layers(name, manager):
        values = laid_over(values, own)
    return values


def read_layers(name: str, manager: PluginManager) -> list[tuple[str, dict[str, Any]]]:
    """Return a recipe's name with the values that it gives itself, after those of all that it extends.

    Raises:
        UserError: as ``read_recipe``.

    """
    return _read(name, Path(), manager, ())


def laid_over(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` over ``base``, table by table."""
    return base | {key: _laid_over(base.get(key), value) for key, value in values.items()}


def same_component(name: str, other: str) -> bool:
    """Whether two names mean one component: ``voxels`` and ``nfcore-teachers/voxels`` do."""
    (distribution, _, bare), (other_distribution, _, other_bare) = name.rpartition("/"), other.rpartition("/")
    return bare == other_bare and (distribution == other_distribution or "" in (distribution, other_distribution))


def component_name(choice: Any) -> str:
    """Return the name in a component's choice, which is a name or a table with one; empty if there is none."""
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
        raise UserError(f"{path}: extends itself, by way of {', '.join(p.name for p in extending)}")
    return [*_read(base, path.parent, manager, (*extending, path)), (name, values)]


def _laid_over(under: Any, value: Any) -> Any:
    if isinstance(under, str):  # a component's name alone, if options are to be laid over it
        under = {"name": under}
    if not (isinstance(under, dict) and isinstance(value, dict)):
        return value
    if "name" in value and not same_component(component_name(value), component_name(under)):
        return value
    return laid_over(under, value)
