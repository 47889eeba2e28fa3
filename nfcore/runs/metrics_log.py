"""``metrics.jsonl``: one JSON object for each report; each once, however often the stage was interrupted."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nfcore.io.atomic import naming, write_atomic


class MetricsLog:
    """The part of ``metrics.jsonl`` that one stage writes.

    Args:
        path: the file; other stages' rows are in it too.
        stage: the stage's name.

    Attributes:
        rows: how many rows of this stage there are.

    """

    def __init__(self, path: Path, stage: str) -> None:
        self.path, self.stage, self.rows = path, stage, 0

    def append(self, step: int, scalars: dict[str, float]) -> None:
        """Add a row with eight significant digits."""
        row = {"stage": self.stage, "step": step} | {name: float(f"{x:.8g}") for name, x in scalars.items()}
        with naming(self.path), self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.rows += 1

    def keep(self, rows: int) -> None:
        """Take back all but the stage's first ``rows`` rows, which will be written again, and any torn line."""
        written = self.path.read_bytes() if self.path.exists() else b""
        kept, self.rows = [], 0
        for line in written.splitlines(keepends=True):
            if _stage_of(line) == self.stage:
                if self.rows == rows:
                    continue
                self.rows += 1
            elif not line.endswith(b"\n"):
                continue
            kept.append(line)
        if b"".join(kept) != written:
            write_atomic(self.path, b"".join(kept))

    def sync(self) -> None:
        """Have all rows on the disk: before a checkpoint that counts on them."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())


def _stage_of(line: bytes) -> str | None:
    """Return which stage a whole line is of; None for a torn one, and for what nfcore did not write."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    stage = row.get("stage") if isinstance(row, dict) else None
    return stage if isinstance(stage, str) else None
