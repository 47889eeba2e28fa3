"""What tests of runs share: a run of the tiny recipe, and what is in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from nfcore.runs import Artifacts, Run, Scheduler


def scheduler(run: Run, manager, console) -> Scheduler:
    """Does the stages of ``run``."""
    return Scheduler(Artifacts(run, manager), console)


def trained(folder: Path, config, manager, console) -> Run:
    """A run whose student is finished, created or resumed."""
    run = Run.create(folder, config, resume=True)
    for stage in ("teach", "distill", "finetune"):
        scheduler(run, manager, console).do(stage)
    return run


def checkpoint_every_time(monkeypatch) -> None:
    """Take every checkpoint that is offered."""
    monkeypatch.setattr("nfcore.runs.checkpoints.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("nfcore.runs.checkpoints.MOST_SHARE", 1e9)


def contents(folder: Path) -> dict[str, bytes]:
    """The files in ``folder`` by their paths."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows(run: Run) -> list[dict]:
    """What the stages of ``run`` have reported."""
    return [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
