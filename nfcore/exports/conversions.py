"""Conversions of modules by what they were made from: several exports of one student share them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from torch import nn

from nfcore.exports.fingerprint import fingerprint

Converted = TypeVar("Converted")


class Conversions(Generic[Converted]):
    """The newest conversions of this process: each takes seconds, and a student is exported to several forms.

    >>> programs = Conversions()
    >>> programs.get(nn.ReLU(), "iOS16", lambda: "a program")
    'a program'
    >>> programs.get(nn.ReLU(), "iOS16", lambda: "another")
    'a program'

    Attributes:
        kept: how many are kept: a page has the student at two sizes or three, a split student has two parts.

    """

    kept = 4

    def __init__(self) -> None:
        self._newest: dict[Hashable, Any] = {}

    def get(self, module: nn.Module, settings: Hashable, convert: Callable[[], Converted]) -> Converted:
        """Return what ``convert()`` gives, or gave for a module that computes the same with the same settings.

        Args:
            module: what is converted.
            settings: all else that the conversion depends on.
            convert: called if the conversion isn't kept; its errors pass through.

        """
        content = fingerprint(module)
        if content is None:
            return convert()
        key = content, settings
        made: Converted = self._newest.pop(key) if key in self._newest else convert()
        self._newest[key] = made
        while len(self._newest) > self.kept:
            del self._newest[next(iter(self._newest))]
        return made
