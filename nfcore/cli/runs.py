"""``nfcore run``, and the commands of single stages: teach, distill, finetune, evaluate, export."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    examples,
    run_folder,
)
from nfcore.cli.output import JsonOption, say
from nfcore.cli.work import Display, limit_threads, print_paths, work
from nfcore.errors import UserError
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from nfcore.config.resolve import Configured
    from nfcore.config.schema import PipelineConfig
    from nfcore.config.stages import Stage

_RUN = examples(
    "nfcore run quickstart",
    "nfcore run quickstart --scene photos/can --set image_size=200",
    "nfcore run runs/quickstart/ --resume --set finetune.steps=500",
)
_TEACH = examples("nfcore teach runs/lego --recipe field --scene data/lego", "nfcore teach quickstart --again")
_DISTILL = examples("nfcore distill quickstart", "nfcore distill quickstart --set distill.steps=9000")
_FINETUNE = examples("nfcore finetune quickstart --again")
_EVALUATE = examples("nfcore evaluate quickstart --json", "nfcore evaluate quickstart --protocol mobiler2l")
_EXPORT = examples(
    "nfcore export quickstart web",
    "nfcore export quickstart onnx --set precision=fp16 --as onnx-fp16",
    "nfcore export student.safetensors onnx --out exports",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog=_RUN)(run)
    app.command(epilog=_TEACH)(teach)
    app.command("distill", help="Train the student on views that the teacher renders.", epilog=_DISTILL)(
        _stage_command("distill")
    )
    app.command("finetune", help="Train the distilled student on the photos.", epilog=_FINETUNE)(
        _stage_command("finetune")
    )
    app.command(epilog=_EVALUATE)(evaluate)
    app.command(epilog=_EXPORT)(export)


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
    exports: ExportOption = None,
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
        Display(quiet, pictures, as_json),
        configured,
        resume=resume,
        change=resume and folder == given,
        threads=threads,
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
    runs: RunsOption = RUNS,
    again: AgainOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    pictures: PicturesOption = True,
    as_json: JsonOption = False,
) -> None:
    """Fit the teacher to the photos."""
    from nfcore.config.resolve import configure_with_sources

    folder = run_folder(run, runs)
    config: Configured | None
    if recipe is not None:
        config = configure_with_sources(recipe, plugins(), scene=scene, teacher=teacher, changes=changes or ())
    elif scene or teacher or not (folder / "config.toml").is_file():
        raise UserError(f"{folder}: name its --recipe too, which starts a new run; --scene and --teacher need it")
    else:
        config = _changed(folder, changes)
    display = Display(quiet, pictures, as_json)
    work(folder, "teach", display, config, change=recipe is None, again=again, threads=threads)


def _stage_command(stage: Stage) -> Callable[..., None]:
    """Return the command that executes one stage of an existing run."""

    def command(
        run: RunArgument,
        changes: SetOption = None,
        runs: RunsOption = RUNS,
        again: AgainOption = False,
        threads: ThreadsOption = None,
        quiet: QuietOption = False,
        pictures: PicturesOption = True,
        as_json: JsonOption = False,
    ) -> None:
        folder, display = run_folder(run, runs), Display(quiet, pictures, as_json)
        work(folder, stage, display, _changed(folder, changes), again=again, threads=threads)

    return command


def _changed(folder: Path, changes: Iterable[str] | None, protocol: str | None = None) -> Configured | None:
    """Return the configuration of the run in ``folder`` with the user's changes; None if there are none."""
    from nfcore.config.resolve import configure_with_sources
    from nfcore.runs import Run

    if not changes and protocol is None:
        return None
    file = Run(folder).config_file
    return configure_with_sources(str(file), plugins(), changes=changes or (), protocol=protocol)


def evaluate(
    run: RunArgument,
    protocol: ProtocolOption = None,
    changes: SetOption = None,
    runs: RunsOption = RUNS,
    again: AgainOption = False,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    pictures: PicturesOption = True,
    as_json: JsonOption = False,
) -> None:
    """Score teacher and student on the test views; with another protocol, score a finished run again."""
    folder, display = run_folder(run, runs), Display(quiet, pictures, as_json)
    work(folder, "evaluate", display, _changed(folder, changes, protocol), again=again, threads=threads)


def export(
    run: ModelArgument,
    exporters: Annotated[
        list[str] | None,
        typer.Argument(
            help="Labels or exporters; those of the run by default.", autocompletion=completion.exporters
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the exporter, such as precision=fp16."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--as", help="Label of the export; the exporter's name by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the exports of a file.")] = None,
    runs_folder: RunsOption = RUNS,
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

    folder = run_folder(run, runs_folder)
    if folder.is_file():
        from nfcore.cli.model_file import export_file

        if again:
            raise UserError("--again is for a run's exports: those of a file are always made again")
        limit_threads(threads)
        chosen = choose_exports({}, exporters or [], changes or [], label, plugins(), required_psnr=required_psnr)
        export_file(run, chosen, out or run.parent / f"{run.stem}-exports", as_json, quiet=quiet)
        return
    from nfcore import runs
    from nfcore.runs.exporting import added_exports
    from nfcore.runs.lock import locked

    if out is not None:
        raise UserError(f"--out is for a file's exports: those of a run are in {folder / 'exports'}")
    opened = runs.Run(folder)
    before = opened.config.export
    chosen = choose_exports(before, exporters or [], changes or [], label, plugins(), required_psnr=required_psnr)
    check_exports(opened.config.model_copy(update={"export": chosen}), plugins())
    with locked(opened.folder, partial(typer.echo, err=True)), added_exports(opened, chosen, again=again):
        work(folder, "export", Display(quiet, as_json=as_json), threads=threads)


def _default_name(recipe: str, config: PipelineConfig) -> str:
    """Return a run's default name: ``recipe``, with the scene's folder and the image size if those were chosen."""
    path = config.scene.options.get("path")
    parts = [Path(recipe).stem, *([Path(path).name, str(config.image_size or "full")] if path else [])]
    return "-".join(parts)
