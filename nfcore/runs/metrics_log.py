"""``metrics.jsonl``: one JSON object per report, without duplicates after an interruption."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from nfcore.io.atomic import naming, write_atomic
from nfcore.io.files import open_file, read_file

# Read from the end of a long log; a line is about 60 bytes.
_LAST_BYTES = 16 << 20
_MOST_BYTES = 1 << 30
_MOST_STEPS = 1 << 53  # beyond it, neither Python's float nor JavaScript's number is exact


class Report(NamedTuple):
    """One row: what a stage reported at a step."""

    #: The stage's name.
    stage: str
    #: How much was done.
    step: int
    #: Its figures, such as ``psnr``; all of them finite.
    scalars: dict[str, float]


def read_reports(path: Path, last_bytes: int = _LAST_BYTES) -> list[Report]:
    """Return the rows at the end of a ``metrics.jsonl``; none if there is no such file.

    Lines that are incomplete, as of a run in progress, or damaged are left out, and so are figures that are no
    finite numbers.

    >>> read_reports(Path("no-run/metrics.jsonl"))
    []

    Raises:
        UserError: it is no regular file, or can't be read.

    """
    if not path.exists():
        return []
    with open_file(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - last_bytes))
        lines = file.read(last_bytes).split(b"\n")[1 if size > last_bytes else 0 : -1]
    reports = map(_report, lines)
    return [report for report in reports if report is not None]


def _report(line: bytes) -> Report | None:
    """Return a complete line as a row; None for one that nfcore did not write."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    stage, step = (row.get("stage"), row.get("step")) if isinstance(row, dict) else (None, None)
    if not isinstance(stage, str) or type(step) is not int or not 0 <= step < _MOST_STEPS:
        return None
    return Report(stage, step, {k: float(v) for k, v in row.items() if k not in ("stage", "step") and _finite(v)})


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= 1e300 and math.isfinite(value)


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
        written = read_file(self.path, _MOST_BYTES) if self.path.exists() else b""
        kept, self.rows = [], 0
        for line in written.splitlines(keepends=True):
            report = _report(line) if line.endswith(b"\n") else None
            if report is not None and report.stage == self.stage:
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
