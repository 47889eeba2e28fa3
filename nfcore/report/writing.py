"""Writing a run's ``report.html``."""

from __future__ import annotations

from pathlib import Path

from nfcore.io.atomic import write_atomic
from nfcore.report.contents import gather
from nfcore.report.page import build_page
from nfcore.runs import Stages


def write_report(stages: Stages, path: Path | None = None) -> Path:
    """Write the report of a run, finished or not, and return where it is.

    Args:
        stages: the run, with its scene and its teacher if they are open already.
        path: the file; ``report.html`` in the run's folder by default.

    Raises:
        UserError: a file of the run is damaged.

    """
    path = path or stages.run.folder / "report.html"
    write_atomic(path, build_page(gather(stages)))
    return path
