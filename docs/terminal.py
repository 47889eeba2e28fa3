"""The terminal in docs/images: a real command in a pseudo-terminal, its last screen as a page for a browser."""

from __future__ import annotations

import fcntl
import html
import os
import pty
import struct
import subprocess
import termios
from itertools import groupby
from pathlib import Path

import pyte
from pyte.screens import Char

_COLUMNS, _LINES = 124, 70
# The names that pyte has for a terminal's eight colours, as a dark terminal shows them.
_COLOURS = {
    "black": "#4a4f5a",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
    "white": "#e6e9ef",
    "default": "#e6e9ef",
}
_PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 22px; width: max-content; background: #eceef2; }
div { border-radius: 12px; background: #15181e; box-shadow: 0 10px 34px rgb(0 0 0 / 0.28); overflow: hidden; }
header { display: flex; gap: 8px; padding: 12px 14px; background: #20242c; }
header i { width: 12px; height: 12px; border-radius: 50%; background: #ff5f57; }
header i + i { background: #febc2e; } header i + i + i { background: #28c840; }
pre { margin: 0; padding: 14px 18px 18px; color: #e6e9ef; font: 14px/1.4 "DejaVu Sans Mono", Menlo, monospace; }
b { font-weight: 700; }
</style><div><header><i></i><i></i><i></i></header><pre>"""


def screen_after(command: list[str], folder: Path, shown: str) -> str:
    """Run ``command`` in a terminal in ``folder``, and return the page of its last screen.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        shown: what stands behind the prompt.

    Raises:
        CalledProcessError: the command failed.

    """
    screen = pyte.Screen(_COLUMNS, _LINES)
    stream = pyte.ByteStream(screen)
    stream.feed(f"\x1b[1;32m$\x1b[0m {shown}\r\n".encode())
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(  # noqa: S603 - a command of ours
        command, stdin=its, stdout=its, stderr=its, env=environment, cwd=folder
    )
    os.close(its)
    while written := _read(own):
        stream.feed(written)
    os.close(own)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command, "\n".join(screen.display))
    return _PAGE + "\n".join(_line(screen, row) for row in range(_LINES)).rstrip() + "</pre></div>"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux says so when the other end is closed
        return b""


def _line(screen: pyte.Screen, row: int) -> str:
    cells = [screen.buffer[row][column] for column in range(_COLUMNS)]
    runs = groupby(cells, key=lambda cell: (cell.fg, cell.bold))
    return "".join(_run(list(cells)) for _, cells in runs).rstrip()


def _run(cells: list[Char]) -> str:
    text, (first, *_) = html.escape("".join(cell.data for cell in cells)), cells
    if not text.strip():
        return text
    colour = _COLOURS.get(first.fg, f"#{first.fg}")
    tag = "b" if first.bold else "span"
    return f'<{tag} style="color: {colour}">{text}</{tag}>'
