"""A griffe extension: examples in docstrings (``>>>``) are shown as code, where Markdown sees quotations."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^([ \t]*)>>> .*(?:\n\1\S.*)*", re.MULTILINE)


class DoctestExamples(griffe.Extension):
    """Puts each example between fences."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence the examples in the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """Return a docstring with its examples between fences."""
    return _EXAMPLE.sub(lambda match: f"{match[1]}```pycon\n{match[0]}\n{match[1]}```", text)
