"""``nfcore run`` and the verbs that do one stage: teach, distill, finetune, evaluate, export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from nfcore.cli import completion
from nfcore.cli.options import (
    RUNS,
    AgainOption,
    ExportOption,
    PicturesOption,
    ProtocolOption,
    QuietOption,
    RunArgument,
    RunsOption,
    SceneOption,
    SetOption,
    StudentArgument,
    TeacherOption,
    ThreadsOption,
    run_folder,
)
from nfcore.cli.output import JsonOption, print_json, say
from nfcore.errors import UserError
from nfcore.fence import reason
from nfcore.manager import plugins

if TYPE_CHECKING:
    from nfcore.config import PipelineConfig
    from nfcore.console import Console
    from nfcore.interfaces import RaySource
    from nfcore.pipeline.recipes import Configured
    from nfcore.runs import Run, Stage, Stages


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(run)
    app.command()(teach)
    app.command("distill", help="Train the student on views that the teacher renders.")(_stage_command("distill"))
    app.command("finetune", help="Train the distilled student on the photos.")(_stage_command("finetune"))
    app.command()(evaluate)
    app.command()(export)


def run(
    ctx: typer.Context,
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe's name, a .toml file, or a run's folder with a slash, such as runs/quickstart/.",
            autocompletion=completion.recipes,
        ),
    ],
    scene: SceneOption = None,
    teacher: TeacherOption = None,
    changes: SetOption = None,
    exports: Annotated[str | None, typer.Option("--export", help=str(ExportOption.__metadata__[0].help))] = None,
    protocol: ProtocolOption = None,
    name: Annotated[str | None, typer.Option(help="The run's folder under --runs.")] = None,
    runs: RunsOption = RUNS,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that is there.")] = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    pictures: PicturesOption = True,
    as_json: JsonOption = False,
) -> None:
    """Run a whole pipeline: photos in, a verified model out.

    A run's folder stands for its configuration: with --resume that run goes on, and with --set it goes on from the
    first stage that the change concerns; with --name it is the recipe of another run.
    """
    from nfcore.pipeline.recipes import configure_with_origins

    given = Path(recipe) if "/" in recipe and (Path(recipe) / "config.toml").is_file() else None
    configured = configure_with_origins(
        str(given / "config.toml") if given else recipe,
        plugins(),
        scene=scene,
        teacher=teacher,
        changes=changes or (),
        exports=exports,
        protocol=protocol,
    )
    folder = given if given and name is None else runs / (name or _default_name(recipe, configured.config))
    speaks = _work(
        folder,
        None,
        begun=configured,
        resume=resume,
        change=resume and folder == given,
        threads=threads,
        quiet=quiet,
        pictures=pictures,
        as_json=as_json,
    )
    if speaks and not as_json:
        _print_paths(folder)
        root = ctx.find_root()
        if isinstance(root.command, typer.core.TyperGroup) and root.command.get_command(root, "view"):
            say(f"look at it: nfcore view {folder}")  # a plugin's command


def teach(
    run: RunArgument,
    recipe: Annotated[
        str | None,
        typer.Option(help="Begin a new run with this recipe.", autocompletion=completion.recipes),
    ] = None,
    scene: SceneOption = None,
    teacher: TeacherOption = None,
    changes: SetOption = None,
    again: AgainOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    pictures: PicturesOption = True,
    as_json: JsonOption = False,
) -> None:
    """Fit the teacher to the photos."""
    from nfcore.pipeline.recipes import configure_with_origins

    begun = None
    if recipe is not None:
        begun = configure_with_origins(recipe, plugins(), scene=scene, teacher=teacher, changes=changes or ())
    elif scene or teacher or changes:
        raise UserError("--scene, --teacher and --set begin a new run: name its --recipe too")
    _work(
        run_folder(run),
        "teach",
        begun=begun,
        again=again,
        threads=threads,
        quiet=quiet,
        pictures=pictures,
        as_json=as_json,
    )


def _stage_command(stage: Stage) -> Callable[..., None]:
    """Return the command that does one stage of a run that was begun before."""

    def command(
        run: RunArgument,
        again: AgainOption = False,
        threads: ThreadsOption = None,
        quiet: QuietOption = False,
        pictures: PicturesOption = True,
        as_json: JsonOption = False,
    ) -> None:
        _work(
            run_folder(run),
            stage,
            again=again,
            threads=threads,
            quiet=quiet,
            pictures=pictures,
            as_json=as_json,
        )

    return command


def evaluate(
    run: RunArgument,
    protocol: ProtocolOption = None,
    again: AgainOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score teacher and student on the test views; another protocol scores a finished run anew."""
    from nfcore.pipeline.recipes import check_options
    from nfcore.runs import Run

    folder = run_folder(run)
    if protocol is not None:
        scored = Run(folder)
        config = scored.config.model_copy(update={"protocol": protocol})
        check_options(config, plugins())
        scored.set_config(config)
    _work(folder, "evaluate", again=again, threads=threads, quiet=quiet, as_json=as_json)


def render_stage(folder: Path, *, again: bool, threads: int | None, quiet: bool) -> None:
    """Do the render stage of the run in ``folder``, and say where its pictures lie."""
    if _work(folder, "render", again=again, threads=threads, quiet=quiet, table=False):
        _print_paths(folder)


def export(
    student: StudentArgument,
    exporters: Annotated[
        list[str] | None, typer.Argument(help="Labels or exporters; the run's by default.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the exporter, such as precision=fp16."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--as", help="Name of the export; the exporter's by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the exports of a student file.")] = None,
    floor: Annotated[
        float | None, typer.Option(help="Least PSNR against torch, dB; the exporter's own floor by default.")
    ] = None,
    again: AgainOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export the student for its targets and compare the files with torch."""
    from nfcore.pipeline.recipes import choose_exports

    if student.is_file():
        from nfcore.cli.student import export_student

        chosen = choose_exports({}, exporters or [], changes or [], label, plugins(), floor=floor)
        export_student(student, chosen, out or student.parent / f"{student.stem}-exports", as_json, quiet=quiet)
        return
    from nfcore.runs import Run

    folder = run_folder(student)
    run = Run(folder)
    before = run.config.export
    chosen = choose_exports(before, exporters or [], changes or [], label, plugins(), floor=floor)
    run.set_config(run.config.model_copy(update={"export": before | chosen}))
    for name, choice in chosen.items():
        if again or choice != before.get(name):
            run.forget_one(f"export.{name}")
    _work(folder, "export", threads=threads, quiet=quiet, as_json=as_json)


def _work(
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

    from nfcore import processes
    from nfcore.cli.summary import print_summary
    from nfcore.console import Console
    from nfcore.pipeline.export import ExportsFailedError
    from nfcore.runs import Run, Stage, Stages, provenance

    if threads is not None:
        torch.set_num_threads(threads)
    with processes.joined():
        with Console(quiet=quiet or not processes.first(), pictures=pictures) as console:
            if processes.first():
                if change and begun is not None:
                    run, source = _changed(Run(folder), begun.config, console)
                else:
                    run, source = _open(folder, begun.config if begun else None, resume, console)
                if again and stage is not None:
                    run.forget(stage)
            processes.wait()
            if not processes.first():
                run, source = Run(folder), None
            stages = Stages(run, plugins(), console, source)
            due = any(stages.due(each) for each in ([stage] if stage else get_args(Stage)))
            if due and processes.first():
                provenance.keep(run, begun.origins if begun else {}, plugins(), sys.argv[1:])
            failed = None
            try:
                if stage is None:
                    stages.do_all()
                else:
                    stages.do(stage)
            except ExportsFailedError as error:
                failed = error  # what was made is shown all the same
            if due and stage is None and processes.first():
                _report(stages, console)
        if not processes.first():
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


def _default_name(recipe: str, config: PipelineConfig) -> str:
    """Return ``recipe``, with the scene's folder and the image size where the user chose them."""
    path = config.scene.options.get("path")
    parts = [Path(recipe).stem, *([Path(path).name, str(config.image_size or "full")] if path else [])]
    return "-".join(parts)


def _print_paths(folder: Path) -> None:
    if (folder / "report.html").is_file():
        say(f"report: {folder / 'report.html'}")
    say(f"picture (student, teacher, truth): {folder / 'previews' / 'comparison.png'}")
    say(f"orbit video: {folder / 'previews' / 'orbit.mp4'}")
    exports = folder / "exports"
    for path in sorted(exports.iterdir()) if exports.is_dir() else []:
        if path.name != "rejected":
            say(f"export: {path}")
