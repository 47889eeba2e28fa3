"""Finds the ray source that reads a folder or a file, by the files in it, without importing any plugin's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nfcore.errors import PluginError, UserError
from nfcore.plugin.components import Component
from nfcore.plugin.isolation import Plugin
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.unread_layouts import is_posed, next_step

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
        place = _folder_of(Path(text).expanduser(), manager)
        offered = any(component.name == name for _, component in manager.components("ray_source"))
        if place.exists() and not offered:
            return {"name": recognised(place, manager), "path": str(place.resolve())}
        if len(Path(name).parts) > 1 or Path(name).suffix:
            raise UserError(f"there is no file or folder {text}; {error}") from None
        raise
    return {"name": name} | ({"path": str(Path(path).expanduser().resolve())} if path else {})


def recognised(place: Path, manager: PluginManager) -> str:
    """Return the name of the ray source that reads the folder or file ``place``.

    It is the one whose marker files are in the folder; where there are none, the one that reads most of the
    folder's plain files, unless their poses are in another folder close to it.

    Where several ray sources of one distribution read it, it is the one that the distribution lists first.

    Raises:
        UserError: there is none, or several of different distributions; says what to do.

    """
    names = readers(place, manager)
    distributions = {plugin.distribution for plugin, _ in _offers(place, manager)}
    if names and len(distributions) == 1:
        return names[0]
    if names:
        raise UserError(
            f"{place} can be read in several ways: choose {' or '.join(f'{name}:{place}' for name in names)}"
        )
    raise UserError(_unrecognised(place, manager))


def readers(place: Path, manager: PluginManager) -> list[str]:
    """Return the names of the ray sources that read a folder or file, in their order of preference."""
    found = _offers(place, manager)
    return [c.name if _is_only(c, found) else f"{p.distribution}/{c.name}" for p, c in found]


def _offers(place: Path, manager: PluginManager) -> _Offers:
    offers = [(p, c) for p in manager.plugins for c in p.components if c.kind == "ray_source"]
    found = [(p, c) for p, c in offers if any((place / marker).exists() for marker in c.markers)]
    markers = [marker for _, component in offers for marker in component.markers]
    if found or (place.is_dir() and is_posed(place, markers)):
        return found
    found = _reading(_plain_files(place, ("*", "images/*")), offers)
    if found or not place.is_dir() or next_step(place, markers):
        return found
    return _reading(_plain_files(place, ("*/*", "images/*/*")), offers)


def _reading(files: Iterable[Path], offers: _Offers) -> _Offers:
    """Return what reads most of such plain files: photos may have a cloud of points among them."""
    found = Counter(file.suffix.lower() for file in files)
    read = [sum(found[suffix] for suffix in component.suffixes) for _, component in offers]
    return [offer for offer, files_read in zip(offers, read, strict=True) if 0 < files_read == max(read)]


def _folder_of(path: Path, manager: PluginManager) -> Path:
    """Return the data set's folder for a marker file in it, such as transforms.json; others unchanged."""
    if not path.is_file():
        return path
    for _, component in manager.components("ray_source"):
        for marker in map(Path, component.markers):
            if path.parts[-len(marker.parts) :] == marker.parts:
                return path.parents[len(marker.parts) - 1]
    return path


def _plain_files(place: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yield the file itself, or those in the folder that have one of the patterns, without hidden ones."""
    if not place.is_dir():
        yield place
        return
    for pattern in patterns:
        for file in place.glob(pattern):
            if not any(part.startswith(".") for part in file.relative_to(place).parts) and file.is_file():
                yield file


def _unrecognised(place: Path, manager: PluginManager) -> str:
    offers = manager.components("ray_source")
    markers = [marker for _, component in offers for marker in component.markers]
    step = _step(place, markers)
    looked = [f"{c.name} has {' or '.join(c.markers)}" for _, c in offers if c.markers]
    looked += [f"{c.name} reads {' '.join(c.suffixes)}" for _, c in offers if c.suffixes]
    hints = [f"photos without poses, or a video: {hint}" for hint in manager.elsewhere("ray source", _POSING)]
    what = "contains no data set" if place.is_dir() else "is no file"
    known = step or "; ".join(looked + hints) or "none is installed"
    return f"{place} {what} that a ray source recognises: {known}"


def _step(place: Path, markers: list[str]) -> str | None:
    """Return what to do with a folder or file that none reads, or None if nothing is known."""
    if place.is_dir():
        return next_step(place, markers)
    if place.suffix.lower() == ".json":
        return f"if it lists photos and poses, choose transforms:{place.parent} with its option file={place.name}"
    known = place.exists() and any((place.parent / marker).exists() for marker in markers)
    return f"choose its folder {place.parent}" if known else None


def _is_only(component: Component, offers: _Offers) -> bool:
    return [offer.name for _, offer in offers].count(component.name) == 1
