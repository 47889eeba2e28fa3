"""The source of each setting of a pipeline: a recipe, or a command line option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SettingSources:
    """Records the source of each value while a pipeline is configured.

    A component may be set by its name alone: a source is recorded by the path of what was set, either an entry of
    a table (``teacher.resolution``) or the component (``teacher``).
    """

    def __init__(self) -> None:
        self._by_path: dict[str, str] = {}

    def record(self, source: str, given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Record that ``source`` set the values ``given``; together, all values are now ``values``."""
        self._by_path |= dict.fromkeys(flat(given), source)
        self._by_path = {path: source for path, source in self._by_path.items() if _has(values, path)}

    def of(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """Return the sources of a pipeline's ``settings`` by flat key; defaults have none."""
        found = {key: self._by_path.get(key, self._by_path.get(_component(key), "")) for key in flat(settings)}
        return {key: source for key, source in found.items() if source}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested tables, with keys such as ``student.backbone.width``; an empty table is a value.

    >>> flat({"distill": {"steps": 10}, "export": {}})
    {'distill.steps': 10, 'export': {}}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, Mapping) and value else {path: value}
    return found


def _component(key: str) -> str:
    """Return the path of the component whose name is at ``key``; empty if ``key`` is not a name."""
    return key.removesuffix(".name") if key.endswith(".name") else ""


def _has(values: Any, path: str) -> bool:
    for part in path.split("."):
        if not (isinstance(values, Mapping) and part in values):
            return False
        values = values[part]
    return True
