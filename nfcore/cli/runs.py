"""``nfcore run``, and the commands of single stages: teach, distill, finetune, evaluate, export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nfcore.cli import completion
from nfcore.cli.options import (
    RUNS,
    AgainOption,
    ExportOption,
    ModelArgument,
    PicturesOption,
    ProtocolOption,
    QuietOption,
    RunArgument,
    RunsOption,
    SceneOption,
    SetOption,
    TeacherOption,
    ThreadsOption,
    run_folder,
)
from nfcore.cli.output import JsonOption, say
from nfcore.cli.work import print_paths, work
from nfcore.errors import UserError
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from nfcore.config.schema import PipelineConfig
    from nfcore.config.stages import Stage


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
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in this folder.")] = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    pictures: PicturesOption = True,
    as_json: JsonOption = False,
) -> None:
    """Run all stages of a pipeline, from photos to verified exports.

    A run's folder means its configuration: --resume resumes that run, with --set from the first stage that the
    change affects; with --name the folder is the recipe of a new run.
    """
    from nfcore.config.resolve import configure_with_sources

    given = Path(recipe) if "/" in recipe and (Path(recipe) / "config.toml").is_file() else None
    configured = configure_with_sources(
        str(given / "config.toml") if given else recipe,
        plugins(),
        scene=scene,
        teacher=teacher,
        changes=changes or (),
        exports=exports,
        protocol=protocol,
    )
    folder = given if given and name is None else runs / (name or _default_name(recipe, configured.config))
    speaks = work(
        folder,
        None,
        config=configured,
        resume=resume,
        change=resume and folder == given,
        threads=threads,
        quiet=quiet,
        pictures=pictures,
        as_json=as_json,
    )
    if speaks and not as_json:
        print_paths(folder)
        root = ctx.find_root()
        if isinstance(root.command, typer.core.TyperGroup) and root.command.get_command(root, "view"):
            say(f"to view it: nfcore view {folder}")  # a plugin's command


def teach(
    run: RunArgument,
    recipe: Annotated[
        str | None,
        typer.Option(help="Start a new run with this recipe.", autocompletion=completion.recipes),
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
    from nfcore.config.resolve import configure_with_sources

    config = None
    if recipe is not None:
        config = configure_with_sources(recipe, plugins(), scene=scene, teacher=teacher, changes=changes or ())
    elif scene or teacher or changes:
        raise UserError("--scene, --teacher and --set start a new run: name its --recipe too")
    work(
        run_folder(run),
        "teach",
        config=config,
        again=again,
        threads=threads,
        quiet=quiet,
        pictures=pictures,
        as_json=as_json,
    )


def _stage_command(stage: Stage) -> Callable[..., None]:
    """Return the command that executes one stage of an existing run."""

    def command(
        run: RunArgument,
        again: AgainOption = False,
        threads: ThreadsOption = None,
        quiet: QuietOption = False,
        pictures: PicturesOption = True,
        as_json: JsonOption = False,
    ) -> None:
        work(
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
    """Score teacher and student on the test views; with another protocol, score a finished run again."""
    from nfcore.config.resolve import check_options
    from nfcore.runs import Run

    folder, config = run_folder(run), None
    if protocol is not None:
        config = Run(folder).config.model_copy(update={"protocol": protocol})
        check_options(config, plugins())
    work(
        folder,
        "evaluate",
        config=config,
        resume=True,
        again=again,
        threads=threads,
        quiet=quiet,
        as_json=as_json,
    )


def export(
    run: ModelArgument,
    exporters: Annotated[
        list[str] | None, typer.Argument(help="Labels or exporters; those of the run by default.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the exporter, such as precision=fp16."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--as", help="Label of the export; the exporter's name by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the exports of a file.")] = None,
    required_psnr: Annotated[
        float | None,
        typer.Option(
            "--required-psnr",
            "--floor",  # its name in 0.1
            help="Required PSNR against torch, dB; the exporter's own tolerance by default.",
        ),
    ] = None,
    again: AgainOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export the student, or the teacher, for its targets and compare the files with torch."""
    from nfcore.config.resolve import check_exports, choose_exports

    if run.is_file():
        from nfcore.cli.model_file import export_file

        chosen = choose_exports({}, exporters or [], changes or [], label, plugins(), required_psnr=required_psnr)
        export_file(run, chosen, out or run.parent / f"{run.stem}-exports", as_json, quiet=quiet)
        return
    from nfcore import runs
    from nfcore.runs.exporting import added_exports
    from nfcore.runs.lock import locked

    folder = run_folder(run)
    opened = runs.Run(folder)
    before = opened.config.export
    chosen = choose_exports(before, exporters or [], changes or [], label, plugins(), required_psnr=required_psnr)
    check_exports(opened.config.model_copy(update={"export": chosen}), plugins())
    with locked(opened.folder, partial(typer.echo, err=True)), added_exports(opened, chosen, again=again):
        work(folder, "export", threads=threads, quiet=quiet, as_json=as_json)


def _default_name(recipe: str, config: PipelineConfig) -> str:
    """Return a run's default name: ``recipe``, with the scene's folder and the image size if those were chosen."""
    path = config.scene.options.get("path")
    parts = [Path(recipe).stem, *([Path(path).name, str(config.image_size or "full")] if path else [])]
    return "-".join(parts)
