"""Execution of a run: create or open it, execute its stages, and write its provenance and report."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from nfcore.config.resolve import Configured
from nfcore.config.schema import PipelineConfig
from nfcore.config.stages import TRAINING, Stage, changed_settings, stages_of
from nfcore.dataset.summary import source_warnings
from nfcore.interfaces import RaySource
from nfcore.pipeline.export import ExportsFailedError
from nfcore.plugin.installed import plugins
from nfcore.plugin.isolation import reason
from nfcore.plugin.manager import PluginManager
from nfcore.runs import provenance
from nfcore.runs.artifacts import Artifacts, open_run
from nfcore.runs.calibration import as_calibrated, check_minutes, planned
from nfcore.runs.folder import Run
from nfcore.runs.lock import locked
from nfcore.runs.preflight import preflight
from nfcore.runs.report import write_report
from nfcore.runs.scene import open_scene
from nfcore.runs.scheduler import Scheduler
from nfcore.runtime import distributed, signals
from nfcore.ui.console import Console


def execute(
    folder: str | Path,
    config: PipelineConfig | Configured | None = None,
    *,
    stage: Stage | None = None,
    resume: bool = False,
    change: bool = False,
    again: bool = False,
    components: PluginManager | None = None,
    console: Console | None = None,
    command: str | None = None,
    estimate: bool = False,
    patience: float = 0.0,
) -> Artifacts:
    """Execute the unfinished stages of a run and return its artifacts.

    >>> config = configure("quickstart", nfcore.plugins(), changes=["image_size=64"])  # doctest: +SKIP
    >>> run = nfcore.runs.execute("runs/small", config, resume=True)  # doctest: +SKIP
    >>> run.results["student.test.psnr"]  # doctest: +SKIP

    A finished stage is not executed again, and an interrupted one resumes from its last checkpoint. Processes
    that ``torchrun`` started train together; the first one writes.

    Args:
        folder: the folder of the run; created if it does not exist.
        config: the pipeline; None opens the existing run.
        stage: the only stage to execute; None executes all and writes the run's report. After a single stage a
            report is written if there was one.
        resume: whether ``folder`` may already contain this run.
        change: whether the run in ``folder`` adopts ``config``, and runs again from the first stage that a changed
            setting affects.
        again: whether ``stage`` and all stages after it run again even if finished.
        components: where components are found; the installed plugins by default.
        console: shows progress; nothing is shown by default.
        command: the command line, for the run's provenance; the running script by default.
        estimate: whether the console says before a new run how long its training will take.
        patience: seconds to wait for another process that works on the run.

    Raises:
        NfcoreError: another process works on the run.
        UserError: the folder contains another run, a data set or setting is wrong, an earlier stage is unfinished.
        ExportsFailedError: some exports failed; everything else is finished.

    """
    folder, components, console = Path(folder), components or plugins(), console or Console(quiet=True)
    configured = Configured(config, {}) if isinstance(config, PipelineConfig) else config
    folder = folder.absolute()  # once: later changes of the working folder have no effect
    with distributed.joined(), ExitStack() as stack:
        if distributed.first():
            lock = partial(stack.enter_context, locked(folder, console.note, patience))
            if (folder / "config.toml").exists():
                lock()
            artifacts = _open(folder, configured, resume, change, components, console, estimate, lock)
            if again and stage is not None:
                artifacts.run.forget(stage)
        distributed.wait()
        if not distributed.first():
            artifacts = open_run(folder, components)
        scheduler = Scheduler(artifacts, console)
        stages = stages_of(artifacts.config) if stage is None else (stage,)
        due = any(scheduler.due(each) for each in stages)
        if due and distributed.first():
            sources = _sources(configured, artifacts.config) if configured else {}
            provenance.keep(artifacts.run, sources, components, command or provenance.script_line())
        failure = None
        with signals.ending_at_steps(_resuming(folder, stage)):
            try:
                if stage is None:
                    scheduler.do_all(stages)
                else:
                    scheduler.do(stage)
            except ExportsFailedError as error:
                failure = error  # raised after the report of the others
        if due and distributed.first():
            if stage is None:
                _report(artifacts, console)
            else:
                rewrite_report(artifacts, console)
    if failure is not None:
        raise failure
    return artifacts


def _open(
    folder: Path,
    configured: Configured | None,
    resume: bool,
    change: bool,
    components: PluginManager,
    console: Console,
    estimate: bool,
    lock: Callable[[], None],
) -> Artifacts:
    """Return the run in ``folder``, created if there is none. Errors are raised before anything is changed.

    ``lock`` is called before the folder of a new run is created.
    """
    if configured is None:
        return open_run(folder, components)
    config, note = configured.config, console.note if estimate else None
    check_minutes(config)
    if not (folder / "config.toml").exists():
        if console.live:
            console.note(f"scene: reading the photos of {config.scene.name!r}")
        source = open_scene(config, components)
        preflight(config, source, components)
        _warn(source, console)
        config = planned(config, source, components, note)
        lock()
        return Artifacts(Run.create(folder, config, resume=resume), components, source)
    run = Run(folder)
    config = as_calibrated(config, run.config)
    if not change:
        run = Run.create(folder, config, resume=resume)
    changed, opened = changed_settings(run.config, config), None
    if changed or "teach" not in run.finished:
        opened = open_scene(config, components)
        preflight(config, opened, components)
        _warn(opened, console)
    if changed and opened is not None:
        config = planned(config, opened, components, note)
    if change and (first := run.change(config)):
        console.note(f"{', '.join(changed)} changed: re-running from {first}")
    return Artifacts(run, components, opened)


def _warn(source: RaySource, console: Console) -> None:
    """Print what ``nfcore scene`` warns about: more training does not repair a wrong box or wrong poses."""
    for warning in source_warnings(source):
        console.note(f"warning: {warning}")


def _resuming(folder: Path, stage: Stage | None) -> str:
    """Return the command that resumes what a signal ended."""
    if stage is None:
        return f"nfcore run {shlex.quote(f'{folder}/')} --resume"
    return f"nfcore {stage} {shlex.quote(str(folder))}"


def _sources(configured: Configured, config: PipelineConfig) -> dict[str, str]:
    """Return what gave each setting its value; steps that were calibrated got theirs from the minutes."""
    minutes = configured.config.minutes
    if minutes is None:
        return configured.sources
    source = f"{configured.sources.get('minutes', '')} minutes={minutes:g}".strip()
    steps = (f"{stage}.steps" for stage in stages_of(config) if stage in TRAINING)
    return configured.sources | dict.fromkeys(["calibrated_minutes", *steps], source)


def rewrite_report(artifacts: Artifacts, console: Console) -> None:
    """Write the run's report again if there is one: what it says may have changed."""
    if (artifacts.run.folder / "report.html").is_file():
        _report(artifacts, console)


def _report(artifacts: Artifacts, console: Console) -> None:
    """Write the run's report; a failure is only noted, so that the run does not fail."""
    try:
        write_report(artifacts)
    except Exception as error:  # from a plugin's teacher, a photo or the disk
        console.note(f"no report: {reason(error)}")
