"""The reporter of all processes but the first: it reports nothing, and resumes where the first one does."""

from __future__ import annotations

from nfcore.interfaces.reporting import Reporter
from nfcore.io.tensors import State, load_state
from nfcore.runs.folder import Run


class WorkerReporter(Reporter):
    """Reports nothing, and resumes from the checkpoint that the first process has written.

    Args:
        run: the run, in a folder that all processes share.
        stage: the stage's name.

    """

    def __init__(self, run: Run, stage: str) -> None:
        self.path = run.checkpoint_file(stage)

    def restore(self) -> State | None:  # noqa: D102
        return load_state(self.path)["state"] if self.path.exists() else None
