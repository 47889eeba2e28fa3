"""A run as comparisons need it: name, figures and pipeline."""

from __future__ import annotations

from pathlib import Path

from nfcore.errors import UserError
from nfcore.evaluation.comparison import Compared
from nfcore.runs.folder import Run
from nfcore.runs.results import read_summary


def read_compared(folder: Path) -> Compared:
    """Return the run in ``folder`` for a comparison.

    Raises:
        UserError: there is no run, none of its stages is finished, or its summary is damaged.

    """
    run = Run(folder)
    summary = folder / "summary.json"
    if not summary.exists():
        raise UserError(f"{folder}: no stage of this run is finished (it has no summary.json)")
    return Compared(folder.resolve().name, read_summary(summary), run.config)
