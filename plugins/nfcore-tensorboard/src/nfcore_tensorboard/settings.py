"""A run's settings for TensorBoard: as text, and as flat names with values for comparing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nfcore.io import read_text, read_toml

Value = bool | float | str


def text(run: Path) -> str:
    """Return the run's configuration as a Markdown code block."""
    lines = read_text(run / "config.toml").splitlines()
    return "\n".join(f"    {line}" for line in lines)


def flat(run: Path) -> dict[str, Value]:
    """Return the run's settings by dotted names, such as ``distill.steps``; lists as text."""
    return _flat(read_toml(run / "config.toml"), "")


def _flat(values: dict[str, Any], prefix: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value if isinstance(value, bool | int | float | str) else str(value)
    return found
