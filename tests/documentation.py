"""The documentation as tests read it: its pages, their blocks of code, the commands that they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from nfcore.plugin.components import KINDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = {kind: DOCS / "guides" / f"{kind.replace('_', '-')}.md" for kind in KINDS}
BIN = Path(sys.executable).parent


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page in one language: the title (empty if it has none) and the text of each."""
    pattern = rf'^```{language}(?: title="([^"]*)")?\n(.*?)^```$'
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def environment(**more: str) -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"COLUMNS": "200", "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | more


def succeed(command: list[str | Path], cwd: Path, **more: str) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=environment(**more))
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
