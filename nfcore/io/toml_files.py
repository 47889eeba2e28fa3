"""TOML files: read within bounds, as values that JSON has too."""

from __future__ import annotations

import re
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any

from nfcore.errors import UserError
from nfcore.io.files import read_text

#: Greatest size in bytes: no recipe, sweep or project needs a tenth of it.
MOST_BYTES = 1 << 20
#: Most tables in each other, and most parts of a key such as ``distill.steps``.
DEEPEST = 32

# What may look like a key and is none: texts, also without their end, and comments.
_NO_KEYS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
    r"|'''(?:[^']|'(?!''))*+(?:''')?"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{DEEPEST}}}")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the contents of a TOML file; dates and times as text.

    >>> _ = Path("recipe.toml").write_text("distill = { steps = 100 }")
    >>> read_toml(Path("recipe.toml"))
    {'distill': {'steps': 100}}

    Raises:
        UserError: the file is missing, can't be read, is not valid TOML, or is nested too deeply.

    """
    try:
        return parse_toml(read_text(path, MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables in ``text``, as ``read_toml`` does.

    Raises:
        ValueError, RecursionError: not valid TOML, or nested too deeply.

    """
    # Time and memory of Python's parser grow with the square of a key's parts: 40 kB took gigabytes.
    if _LONG_KEY.search(_NO_KEYS.sub("_", text)):
        raise ValueError(f"a key has more than {DEEPEST} parts")
    tables: dict[str, Any] = _plain(tomllib.loads(text), DEEPEST)
    return tables


def _plain(value: Any, deepest: int) -> Any:
    """Return a value of TOML as one of JSON."""
    match value:
        case dict() | list() if deepest < 0:
            raise ValueError(f"tables are in each other more than {DEEPEST} deep")
        case dict():
            return {name: _plain(inner, deepest - 1) for name, inner in value.items()}
        case list():
            return [_plain(inner, deepest - 1) for inner in value]
        case date() | time():
            return value.isoformat()
        case int() if not -1 << 63 <= value < 1 << 63:
            raise ValueError("a number has more than 64 bits")
    return value
