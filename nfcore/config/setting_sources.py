"""Origins: what gave each setting of a pipeline its value, be it a recipe or what the user said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Origins:
    """Follows the values of a pipeline while they are put together.

    A component may be given by its name alone: an origin is kept under the path of what was given, be that a
    table's entry (``teacher.resolution``) or the component (``teacher``).
    """

    def __init__(self) -> None:
        self._by_path: dict[str, str] = {}

    def gave(self, origin: str, given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Note that ``origin`` gave the values ``given``, by which all of them became ``values``."""
        self._by_path |= dict.fromkeys(flat(given), origin)
        self._by_path = {path: origin for path, origin in self._by_path.items() if _has(values, path)}

    def of(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """Return the origins of ``settings``, a finished pipeline's, by flat key; a default has none."""
        found = {key: self._by_path.get(key, self._by_path.get(_component(key), "")) for key in flat(settings)}
        return {key: origin for key, origin in found.items() if origin}


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
