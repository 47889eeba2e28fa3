"""Finds the ray source that reads a folder, by the files in it, without importing any plugin's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nfcore.errors import PluginError, UserError
from nfcore.plugin.components import Component
from nfcore.plugin.isolation import Plugin
from nfcore.plugin.manager import PluginManager


def scene_choice(text: str, manager: PluginManager) -> dict[str, Any]:
    """Return the ray source that ``text`` chooses, with its option ``path`` if there is one.

    Args:
        text: ``NAME``, ``NAME:PATH`` or ``PATH``, as for ``--scene``. A ray source's name takes precedence.
        manager: the manager of the ray sources.

    Raises:
        UserError: no ray source of that name and no such folder; or no ray source, or several, read the folder.

    """
    name, _, path = text.partition(":")
    try:
        manager.find("ray_source", name)
    except PluginError as error:
        folder = Path(text).expanduser()
        offered = any(component.name == name for _, component in manager.components("ray_source"))
        if folder.is_dir() and not offered:
            return {"name": recognised(folder, manager), "path": str(folder.resolve())}
        if len(Path(name).parts) > 1:
            raise UserError(f"there is no folder {text}; {error}") from None
        raise
    return {"name": name} | ({"path": str(Path(path).expanduser().resolve())} if path else {})


def recognised(folder: Path, manager: PluginManager) -> str:
    """Return the name of the ray source whose marker files are in ``folder``.

    Raises:
        UserError: there is none, or several.

    """
    offers = [(p, c) for p, c in manager.components("ray_source") if c.markers]
    found = [(p, c) for p, c in offers if any((folder / marker).exists() for marker in c.markers)]
    names = [c.name if _is_only(c, found) else f"{p.distribution}/{c.name}" for p, c in found]
    if len(names) == 1:
        return names[0]
    if names:
        raise UserError(
            f"{folder} can be read in several ways: choose {' or '.join(f'{name}:{folder}' for name in names)}"
        )
    looked = "; ".join(f"{c.name} has {' or '.join(c.markers)}" for _, c in offers)
    raise UserError(
        f"{folder} contains no data set that a ray source recognises: {looked or 'no ray source is installed'}"
    )


def _is_only(component: Component, offers: list[tuple[Plugin, Component]]) -> bool:
    return [offer.name for _, offer in offers].count(component.name) == 1
