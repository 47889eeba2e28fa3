"""What plugins offer, copied once into plain values: what a plugin's objects do later does not matter."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterator
from pathlib import Path, PurePath

from nfcore.errors import PluginError
from nfcore.plugin.components import KINDS, Component, Publication, Recipe

#: Most components, recipes or publications of one plugin.
MOST_OFFERS = 1000

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_LONGEST_NAME, _LONGEST_TARGET, _LONGEST_SUMMARY, _LONGEST_PATH = 100, 300, 500, 4000
_GREATEST_LEVEL, _MOST_FILES = 1000, 100


def component(offer: Component) -> Component:
    """Return a copy of ``offer``; raise a PluginError that says what is wrong with it."""
    kind, name = offer.kind, _name("component", offer.name)
    if type(kind) is not str or kind not in KINDS:
        raise PluginError(f"component {name!r} has the unknown kind {reprlib.repr(kind)}")
    what = f"{kind} {name!r}"
    target = offer.target
    if type(target) is not str or len(target) > _LONGEST_TARGET or not _TARGET.fullmatch(target):
        raise PluginError(f"{what} has the target {reprlib.repr(target)}; a target is 'package.module:Class'")
    level = offer.level
    if type(level) is not int or not 0 <= level <= _GREATEST_LEVEL:
        raise PluginError(f"{what}: its level must be an int, not {reprlib.repr(level)}")
    markers = tuple(_files(what, "markers", offer.markers))
    suffixes = tuple(_files(what, "suffixes", offer.suffixes))
    return Component(kind, name, target, _summary(what, offer.summary), level, markers, suffixes)


def recipe(offer: Recipe) -> Recipe:
    """Return a copy of ``offer``; raise a PluginError that says what is wrong with it."""
    what = f"recipe {_name('recipe', offer.name)!r}"
    return Recipe(offer.name, _path(what, offer.path), _summary(what, offer.summary))


def publication(offer: Publication) -> Publication:
    """Return a copy of ``offer``; raise a PluginError that says what is wrong with it."""
    what = f"publication {_name('publication', offer.name)!r}"
    return Publication(offer.name, _path(what, offer.path), _summary(what, offer.summary))


def _name(what: str, name: object) -> str:
    if type(name) is not str or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise PluginError(f"a {what}'s name is lower case, words joined by dashes, not {reprlib.repr(name)}")
    return name


def _summary(what: str, summary: object) -> str:
    if type(summary) is not str or len(summary) > _LONGEST_SUMMARY:
        raise PluginError(f"{what}: its summary must be a str of at most {_LONGEST_SUMMARY} characters")
    return summary


def _path(what: str, path: object) -> Path:
    text = os.fspath(path) if isinstance(path, PurePath) else None
    if type(text) is not str or len(text) > _LONGEST_PATH or "\0" in text:
        raise PluginError(f"{what}: its path must be a Path, not {reprlib.repr(path)}")
    return Path(text)


def _files(what: str, field: str, names: object) -> Iterator[str]:
    """Yield names of files within a folder, or suffixes of files."""
    if type(names) not in (tuple, list) or len(names) > _MOST_FILES:  # type: ignore[arg-type]
        raise PluginError(f"{what}: its {field} must be a tuple of texts, not {reprlib.repr(names)}")
    for name in names:  # type: ignore[attr-defined]
        inner = type(name) is str and 0 < len(name) <= _LONGEST_TARGET and "\0" not in name
        if not inner or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise PluginError(f"{what}: its {field} are names of files in a folder, not {reprlib.repr(name)}")
        yield name
