"""The signatures of the interfaces as text, level by level: what a plugin was written against.

``python tests/interface_signatures.py`` writes the signatures of now into ``interface_signatures.txt``. It refuses
while they break those of a released level: raise the level in ``nfcore/plugin/components.py`` first, so that
plugins written for the old one are named before their code is imported. What was not released may change freely.
At a release, ``python tests/interface_signatures.py VERSION`` notes which levels came with it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nfcore import interfaces
from nfcore.plugin.components import INTERFACE_LEVELS

SNAPSHOT = Path(__file__).with_suffix(".txt")
UNRELEASED = "unreleased"


@dataclass(frozen=True)
class Level:
    """One level of one interface."""

    kind: str
    number: int
    since: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "".join([f"{self.kind}, level {self.number}, {self.since}\n", *(f"  {x}\n" for x in self.lines)])

    def breaks(self, plugins_of: Level) -> bool:
        """Whether plugins written for another level may fail: something changed, or there is more to implement."""
        new = set(self.lines) - set(plugins_of.lines)
        return not set(plugins_of.lines) <= set(self.lines) or any(line.startswith("abstract") for line in new)


def interface_of(kind: str) -> type:
    """Return the class that components of ``kind`` implement: ``ray_source`` is ``RaySource``."""
    name = "".join(word.title() for word in kind.split("_"))
    found: type = getattr(interfaces, {"Encoding": "RayEncoding"}.get(name, name))
    return found


def signatures(interface: type) -> Iterator[str]:
    """Yield what an implementation is called with, may override and may read: attributes, constructor, methods."""
    for name, annotation in inspect.get_annotations(interface).items():
        if not name.startswith("_"):
            yield f"{name}: {annotation}"
    for name, member in vars(interface).items():
        if name.startswith("_") and name != "__init__":
            continue
        abstract = "abstract " if getattr(member, "__isabstractmethod__", False) else ""
        if isinstance(member, property):
            yield f"{abstract}property {name}{inspect.signature(member.fget)}"
        elif isinstance(member, classmethod | staticmethod):
            yield f"{abstract}{type(member).__name__} {name}{inspect.signature(member.__func__)}"
        elif inspect.isfunction(member):
            yield f"{abstract}{name}{inspect.signature(member)}"


def current() -> list[Level]:
    """Return the levels of now, with the signatures as they are."""
    return [
        Level(kind, number, UNRELEASED, tuple(line.replace("'", "") for line in signatures(interface_of(kind))))
        for kind, number in INTERFACE_LEVELS.items()
    ]


def read(text: str) -> list[Level]:
    """Return the levels in a text that ``written`` returned."""
    levels = []
    for part in text.split("\n\n"):
        head, *lines = part.splitlines()
        kind, number, since = re.fullmatch(r"(\w+), level (\d+), (.+)", head).groups()  # type: ignore[union-attr]
        levels.append(Level(kind, int(number), since, tuple(line.removeprefix("  ") for line in lines)))
    return levels


def written(levels: list[Level]) -> str:
    """Return ``levels`` as they are written down."""
    return "\n".join(map(str, levels))


def held(old: list[Level], new: list[Level]) -> list[str]:
    """Return the kinds whose level has to rise, as what was released under it would break."""
    released = [level for level in old if level.since != UNRELEASED]
    return [
        level.kind
        for level in new
        for before in released
        if before.kind == level.kind
        and (level.number < before.number or (level.number == before.number and level.breaks(before)))
    ]


def updated(old: list[Level], new: list[Level]) -> list[Level]:
    """Return ``old`` with the signatures of ``new``: levels of old releases stay, unreleased ones are replaced."""
    since = {(level.kind, level.number): level.since for level in old}
    now = [replace(level, since=since.get((level.kind, level.number), UNRELEASED)) for level in new]
    places = {(level.kind, level.number) for level in now}
    kept = [x for x in old if x.since != UNRELEASED and (x.kind, x.number) not in places]
    order = list(INTERFACE_LEVELS)
    return sorted([*kept, *now], key=lambda level: (order.index(level.kind), level.number))


def main(version: str | None = None) -> None:
    """Write the snapshot again, unless a level has to rise first; with ``version``, as that release has it."""
    old, new = read(SNAPSHOT.read_text()), current()
    if kinds := held(old, new):
        sys.exit(f"raise the level of {', '.join(kinds)} in nfcore/plugin/components.py: the signatures changed")
    levels = updated(old, new)
    if version is not None:
        levels = [x if x.since != UNRELEASED else replace(x, since=f"since {version}") for x in levels]
    SNAPSHOT.write_text(written(levels))


if __name__ == "__main__":
    main(*sys.argv[1:])
