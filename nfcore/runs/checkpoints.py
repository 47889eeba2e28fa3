"""A stage's checkpoint: saved as often as its cost allows, and loaded only if it is compatible."""

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

#: Minimum seconds between checkpoints.
LEAST_SECONDS = 15.0
#: Maximum share of a stage's time that its checkpoints take; slow ones are saved less often.
MOST_SHARE = 0.02

_FORMAT = 2


class Checkpoints:
    """Saves and loads the checkpoint of a stage; a new one atomically replaces the old one.

    Args:
        path: its file.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = self.saved = time.monotonic()
        self.spent = self.last = 0.0

    def due(self) -> bool:
        """Whether it is time for the next one; its cost is estimated by the last one's."""
        now = time.monotonic()
        affordable = (now - self.began) * MOST_SHARE >= self.spent + self.last
        return affordable and now - self.saved >= LEAST_SECONDS

    def save(self, contents: Callable[[], dict[str, Any]]) -> None:
        """Save ``contents()``, with the versions that decide whether it can be loaded."""
        began = time.monotonic()
        save_state(self.path, {"format": _FORMAT, "nfcore": __version__, "machine": machine()} | contents())
        self.saved = time.monotonic()
        self.last = self.saved - began
        self.spent += self.last

    def load(self) -> dict[str, State] | None:
        """Return the saved state, or None.

        Raises:
            UserError: the file is damaged, or another version of nfcore wrote it in another format.

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
    """Return the changes since ``saved`` that affect the last bits of the weights; empty if there are none."""
    here = {"nfcore": __version__, "machine": machine()}
    return ", ".join(f"{saved[name]} then, {now} now" for name, now in here.items() if saved[name] != now)


def machine() -> str:
    """Return what rounding depends on: processor and torch."""
    cuda = torch.cuda.is_available()
    processor = torch.cuda.get_device_name() if cuda else torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {processor} torch {torch.__version__}"
