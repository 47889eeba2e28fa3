"""What the verbs of a run have in common: open or begin it, do its stages, say what came of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from nfcore.cli.output import print_json, say
from nfcore.plugin.installed import plugins
from nfcore.plugin.isolation import reason

if TYPE_CHECKING:
    from nfcore.config.resolve import Configured
    from nfcore.config.schema import PipelineConfig
    from nfcore.interfaces import RaySource
    from nfcore.runs import Run, Stage, Stages
    from nfcore.ui.console import Console


def render_stage(folder: Path, *, again: bool, threads: int | None, quiet: bool) -> None:
    """Do the render stage of the run in ``folder``, and say where its pictures lie."""
    if work(folder, "render", again=again, threads=threads, quiet=quiet, table=False):
        print_paths(folder)


def work(
    folder: Path,
    stage: Stage | None,
    *,
    begun: Configured | None = None,
    resume: bool = False,
    change: bool = False,
    again: bool = False,
    threads: int | None = None,
    quiet: bool = False,
    pictures: bool = True,
    as_json: bool = False,
    table: bool = True,
) -> bool:
    """Do one stage of the run in ``folder``, or all of them; begin the run if there is a configuration for it.

    With ``change`` the run that is there takes that configuration for its own.

    Returns:
        Whether this process is the one that speaks, of those that ``torchrun`` may have started.

    """
    import torch

    from nfcore.cli.summary import print_summary
    from nfcore.pipeline.export import ExportsFailedError
    from nfcore.runs import Run, Stage, Stages, provenance
    from nfcore.runtime import distributed
    from nfcore.ui.console import Console

    if threads is not None:
        torch.set_num_threads(threads)
    with distributed.joined():
        with Console(quiet=quiet or not distributed.first(), pictures=pictures) as console:
            if distributed.first():
                if change and begun is not None:
                    run, source = _changed(Run(folder), begun.config, console)
                else:
                    run, source = _open(folder, begun.config if begun else None, resume, console)
                if again and stage is not None:
                    run.forget(stage)
            distributed.wait()
            if not distributed.first():
                run, source = Run(folder), None
            stages = Stages(run, plugins(), console, source)
            due = any(stages.due(each) for each in ([stage] if stage else get_args(Stage)))
            if due and distributed.first():
                provenance.keep(run, begun.origins if begun else {}, plugins(), sys.argv[1:])
            failed = None
            try:
                if stage is None:
                    stages.do_all()
                else:
                    stages.do(stage)
            except ExportsFailedError as error:
                failed = error  # what was made is shown all the same
            if due and stage is None and distributed.first():
                _report(stages, console)
        if not distributed.first():
            return False
        summary: dict[str, Any] = run.write_summary()
        if as_json:
            print_json(summary)
        elif table:
            print_summary(run.folder, summary)
        if failed is not None:
            raise failed
    return True


def _report(stages: Stages, console: Console) -> None:
    """Write the run's report. One that can't be written is no reason for a run to fail."""
    from nfcore.report import write_report

    try:
        write_report(stages)
    except Exception as error:  # whatever a plugin's teacher, a photo or the disk can do
        console.note(f"no report: {reason(error)}")


def _open(
    folder: Path, config: PipelineConfig | None, resume: bool, console: Console
) -> tuple[Run, RaySource | None]:
    """Return the run in ``folder``, begun now if there is a ``config`` for it, and its scene if that is new."""
    from nfcore.runs import Run, open_scene

    if config is None:
        return Run(folder), None
    source = None
    if not (folder / "config.toml").exists():
        if console.live:
            console.note(f"scene: reading the photos of {config.scene.name!r}")
        source = open_scene(config, plugins())  # a bad data set is refused before a folder is made
    return Run.create(folder, config, resume=resume), source


def _changed(run: Run, config: PipelineConfig, console: Console) -> tuple[Run, RaySource | None]:
    """Give ``run`` another configuration, say what is done anew, and return it with its scene if that is open."""
    from nfcore.runs import open_scene

    different = run.differences(config)
    source = open_scene(config, plugins()) if different else None  # a bad setting is refused before work is undone
    if stage := run.change(config):
        console.note(f"another {', '.join(different)}: {stage} and all that comes after it is done anew")
    return run, source


def print_paths(folder: Path) -> None:
    """Say where what a finished run is looked at with lies."""
    if (folder / "report.html").is_file():
        say(f"report: {folder / 'report.html'}")
    say(f"picture (student, teacher, truth): {folder / 'previews' / 'comparison.png'}")
    say(f"orbit video: {folder / 'previews' / 'orbit.mp4'}")
    exports = folder / "exports"
    for path in sorted(exports.iterdir()) if exports.is_dir() else []:
        if path.name != "rejected":
            say(f"export: {path}")
