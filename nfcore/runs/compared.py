"""A run as comparisons need it: name, figures and pipeline."""

from __future__ import annotations

from pathlib import Path

from nfcore.errors import UserError
from nfcore.evaluation.comparison import Compared
from nfcore.io.atomic import read_json
from nfcore.runs.folder import Run


def read_compared(folder: Path) -> Compared:
    """Return the run in ``folder`` for a comparison.

    Raises:
        UserError: there is no run, or none of its stages is finished.

    """
    run = Run(folder)
    summary = folder / "summary.json"
    if not summary.is_file():
        raise UserError(f"{folder}: no stage of this run is finished (it has no summary.json)")
    return Compared(folder.resolve().name, read_json(summary), run.config)
