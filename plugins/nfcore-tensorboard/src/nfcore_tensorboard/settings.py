"""A run's settings for TensorBoard: as text, and as flat names with values for comparing runs."""

from __future__ import annotations

from pathlib import Path

from nfcore.config import flat
from nfcore.io import read_text, read_toml

Value = bool | float | str


def text(run: Path) -> str:
    """Return the run's configuration as a Markdown code block."""
    lines = read_text(run / "config.toml").splitlines()
    return "\n".join(f"    {line}" for line in lines)


def values(run: Path) -> dict[str, Value]:
    """Return the run's settings by dotted names, such as ``distill.steps``; lists as text."""
    settings = flat(read_toml(run / "config.toml"))
    return {name: v if isinstance(v, bool | int | float | str) else str(v) for name, v in settings.items()}
