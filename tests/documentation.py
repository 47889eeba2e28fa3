"""The documentation as tests read it: its pages, their blocks of code, the commands that they show."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from command_line import NFCORE, environment

from nfcore.plugin.components import KINDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = {kind: DOCS / "guides" / f"{kind.replace('_', '-')}.md" for kind in KINDS}
#: What the programs that the pages name stand for here.
PROGRAMS = {
    "nfcore": NFCORE,
    "pip": [sys.executable, "-m", "pip"],
    "pytest": [sys.executable, "-m", "pytest"],
    "python": [sys.executable],
}

#: What stands for any choice, for more words, and for commands of which one is meant.
_SCHEMATIC = re.compile(r" \.\.\.|\.\.\. | \| ")


def shell_lines(page: Path) -> list[str]:
    """The lines of a page's blocks of code that run ``nfcore`` or ``pip install``, in order, without comments."""
    text = re.sub(r" \\\n\s*", " ", page.read_text(encoding="utf-8"))
    shown = re.findall(r"^```sh\n(.*?)^```$|^ {4}((?:nfcore |pip install )[^\n]*)", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for fenced, indented in shown for line in (fenced or indented).splitlines()]
    ours = [re.sub(r"\s+#.*", "", line) for line in lines if line.startswith(("nfcore ", "pip install "))]
    return [line for line in ours if not _SCHEMATIC.search(line)]


def commands(page: Path) -> list[list[str]]:
    """The ``nfcore`` commands of a page, each split as a shell does, without ``nfcore`` itself."""
    parts = [part for line in shell_lines(page) for part in re.split(r" && | > \S+", line)]
    return [shlex.split(part)[1:] for part in parts if part.startswith("nfcore ")]


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page in one language: the title (empty if it has none) and the text of each."""
    pattern = rf'^```{language}(?: title="([^"]*)")?\n(.*?)^```$'
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def succeed(command: list[str | Path], cwd: Path, path: Iterable[Path] = (), **environ: str) -> str:
    """Run a command as the pages show it, with the modules in ``path``; return what it printed."""
    program, *arguments = command
    environ = environment(path, PYTHONDONTWRITEBYTECODE="1", **environ)
    done = subprocess.run(
        [*PROGRAMS.get(program, [program]), *arguments], capture_output=True, text=True, cwd=cwd, env=environ
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
