"""Where each setting of a pipeline got its value from: a recipe, or an option of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SettingSources:
    """Follows the values of a pipeline while they are put together.

    A component may be given by its name alone: a source is kept under the path of what was given, be that a
    table's entry (``teacher.resolution``) or the component (``teacher``).
    """

    def __init__(self) -> None:
        self._by_path: dict[str, str] = {}

    def gave(self, source: str, given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Note that ``source`` gave the values ``given``, by which all of them became ``values``."""
        self._by_path |= dict.fromkeys(flat(given), source)
        self._by_path = {path: source for path, source in self._by_path.items() if _has(values, path)}

    def of(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """Return the sources of ``settings``, a finished pipeline's, by flat key; a default has none."""
        found = {key: self._by_path.get(key, self._by_path.get(_component(key), "")) for key in flat(settings)}
        return {key: source for key, source in found.items() if source}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one, with keys such as ``student.backbone.width``; an empty table is a value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, Mapping) and value else {path: value}
    return found


def _component(key: str) -> str:
    """Return the path of the component whose name ``key`` is; nothing if it is no name."""
    return key.removesuffix(".name") if key.endswith(".name") else ""


def _has(values: Any, path: str) -> bool:
    for part in path.split("."):
        if not (isinstance(values, Mapping) and part in values):
            return False
        values = values[part]
    return True
