"""Finds the ray source that reads a folder or a file, by the files in it, without importing any plugin's code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nfcore.errors import PluginError, UserError
from nfcore.plugin.components import Component
from nfcore.plugin.isolation import Plugin
from nfcore.plugin.manager import PluginManager

#: The ray source that estimates the poses of plain photos and videos; the catalogue knows its plugin.
_POSING = "photos"

_Offers = list[tuple[Plugin, Component]]


def scene_choice(text: str, manager: PluginManager) -> dict[str, Any]:
    """Return the ray source that ``text`` chooses, with its option ``path`` if there is one.

    Args:
        text: ``NAME``, ``NAME:PATH`` or ``PATH``, as for ``--scene``. A ray source's name takes precedence.
        manager: the manager of the ray sources.

    Raises:
        UserError: no ray source of that name and no such path; or no ray source, or several, read it.

    """
    name, _, path = text.partition(":")
    try:
        manager.find("ray_source", name)
    except PluginError as error:
        place = Path(text).expanduser()
        offered = any(component.name == name for _, component in manager.components("ray_source"))
        if place.exists() and not offered:
            return {"name": recognised(place, manager), "path": str(place.resolve())}
        if len(Path(name).parts) > 1:
            raise UserError(f"there is no folder {text}; {error}") from None
        raise
    return {"name": name} | ({"path": str(Path(path).expanduser().resolve())} if path else {})


def recognised(place: Path, manager: PluginManager) -> str:
    """Return the name of the ray source that reads the folder or file ``place``.

    It is the one whose marker files are in the folder; where there are none, the one that reads plain files such
    as those in the folder.

    Raises:
        UserError: there is none, or several.

    """
    offers = manager.components("ray_source")
    found = [(p, c) for p, c in offers if any((place / marker).exists() for marker in c.markers)]
    if not found:
        suffixes = {file.suffix.lower() for file in _plain_files(place)}
        found = [(p, c) for p, c in offers if suffixes.intersection(c.suffixes)]
    names = [c.name if _is_only(c, found) else f"{p.distribution}/{c.name}" for p, c in found]
    if len(names) == 1:
        return names[0]
    if names:
        raise UserError(
            f"{place} can be read in several ways: choose {' or '.join(f'{name}:{place}' for name in names)}"
        )
    raise UserError(_unrecognised(place, offers, manager))


def _plain_files(place: Path) -> Iterator[Path]:
    """Yield the file itself, or those in the folder and in its sub-folders, without hidden ones."""
    if not place.is_dir():
        yield place
        return
    for pattern in ("*", "*/*"):
        for file in place.glob(pattern):
            if not any(part.startswith(".") for part in file.relative_to(place).parts) and file.is_file():
                yield file


def _unrecognised(place: Path, offers: _Offers, manager: PluginManager) -> str:
    looked = [f"{c.name} has {' or '.join(c.markers)}" for _, c in offers if c.markers]
    looked += [f"{c.name} reads {' '.join(c.suffixes)}" for _, c in offers if c.suffixes]
    hints = [f"photos without poses, or a video: {hint}" for hint in manager.elsewhere("ray source", _POSING)]
    what = "contains no data set" if place.is_dir() else "is no file"
    return f"{place} {what} that a ray source recognises: {'; '.join(looked + hints) or 'none is installed'}"


def _is_only(component: Component, offers: _Offers) -> bool:
    return [offer.name for _, offer in offers].count(component.name) == 1
