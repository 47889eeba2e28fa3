"""JSON files: what takes far more memory than its text is refused before it is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nfcore.errors import UserError
from nfcore.io.files import MOST_TEXT, read_file

#: Most lists, objects and named values: each takes up to 300 bytes of memory.
MOST_NODES = 1 << 21


def read_json(path: Path) -> Any:
    """Return the contents of a JSON file.

    Raises:
        UserError: the file is missing, can't be read, or is not valid JSON.

    """
    return parse_json(read_file(path), str(path))


def read_json_bytes(path: Path, most: int = MOST_TEXT) -> bytes:
    """Return the bytes of a JSON file for a parser of its own, such as pydantic's ``model_validate_json``.

    >>> _ = Path("figures.json").write_text("[30.5]")
    >>> read_json_bytes(Path("figures.json"))
    b'[30.5]'

    Raises:
        UserError: the file is missing, can't be read, or would take too much memory.

    """
    data = read_file(path, most)
    check_nodes(data, str(path))
    return data


def parse_json(text: bytes | str, where: str) -> Any:
    """Return the value of JSON ``text``; ``where`` is its place in errors.

    >>> parse_json("[30.5]", "figures")
    [30.5]

    Raises:
        UserError: not valid JSON, or it would take too much memory.

    """
    check_nodes(text, where)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, a thousand brackets
        raise UserError(f"{where}: not valid JSON: {error}") from None


def check_nodes(text: bytes | str, where: str) -> None:
    """Raise a UserError if JSON ``text`` would take too much memory."""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    nodes = sum(map(data.count, (b"[", b"{", b":")))
    if nodes > MOST_NODES:
        raise UserError(f"{where}: {nodes:,} lists, objects and named values are more than {MOST_NODES:,}")
