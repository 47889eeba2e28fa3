"""``metrics.jsonl``: one JSON object per report, without duplicates after an interruption."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nfcore.io.atomic import naming, write_atomic


class MetricsLog:
    """One stage's rows of ``metrics.jsonl``.

    Args:
        path: the file, which has other stages' rows too.
        stage: the stage's name.

    Attributes:
        rows: the number of rows of this stage.

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
        """Remove all but the stage's first ``rows`` rows, and any incomplete line: they will be written again."""
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
        """Flush all rows to disk, before a checkpoint that refers to them."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())


def _stage_of(line: bytes) -> str | None:
    """Return the stage of a complete line; None for an incomplete one, or one that nfcore did not write."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    stage = row.get("stage") if isinstance(row, dict) else None
    return stage if isinstance(stage, str) else None
