"""A stage's checkpoint: saved as often as costs little, and read back only where it fits."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nfcore import __version__
from nfcore.errors import UserError
from nfcore.io.tensors import State, load_state, save_state

#: Seconds between checkpoints, at least.
LEAST_SECONDS = 15.0
#: The share of a stage's time that its checkpoints may take; slow ones get rarer.
MOST_SHARE = 0.02

_FORMAT = 2


class Checkpoints:
    """Saves and loads the one checkpoint of a stage; a new one replaces the old one atomically.

    Args:
        path: its file.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = self.saved = time.monotonic()
        self.spent = self.last = 0.0

    def due(self) -> bool:
        """Whether there is time for another: its cost is taken to be that of the last one."""
        now = time.monotonic()
        affordable = (now - self.began) * MOST_SHARE >= self.spent + self.last
        return affordable and now - self.saved >= LEAST_SECONDS

    def save(self, contents: Callable[[], dict[str, Any]]) -> None:
        """Save ``contents()``, with what it takes to tell whether it fits when it is read."""
        began = time.monotonic()
        save_state(self.path, {"format": _FORMAT, "nfcore": __version__, "machine": machine()} | contents())
        self.saved = time.monotonic()
        self.last = self.saved - began
        self.spent += self.last

    def load(self) -> dict[str, State] | None:
        """Return what was saved, or None.

        Raises:
            UserError: the file is damaged, or of a version of nfcore that had other checkpoints.

        """
        if not self.path.exists():
            return None
        saved: dict[str, State] = load_state(self.path)
        if saved.get("format") != _FORMAT:
            writer = saved.get("nfcore", "an older one")
            raise UserError(
                f"{self.path}: a checkpoint of another version of nfcore ({writer}; this is {__version__}): "
                "resume with that one, or start the stage again with --again"
            )
        return saved


def doubts(saved: dict[str, State]) -> str:
    """Return what has changed since ``saved`` that the last bits of the weights depend on, or nothing."""
    here = {"nfcore": __version__, "machine": machine()}
    return ", ".join(f"{saved[name]} then, {now} now" for name, now in here.items() if saved[name] != now)


def machine() -> str:
    """Return what rounding depends on."""
    cuda = torch.cuda.is_available()
    processor = torch.cuda.get_device_name() if cuda else torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {processor} torch {torch.__version__}"
