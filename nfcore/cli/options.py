"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nfcore.cli import completion
from nfcore.errors import UserError

RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run's folder, or its name under runs/.", autocompletion=completion.runs),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run's folder or name, or a student's or a teacher's .safetensors file.",
        autocompletion=completion.runs,
    ),
]
SceneOption = Annotated[
    str | None,
    typer.Option(
        help="Photos: PATH of a data set, or ray source NAME or NAME:PATH, such as colmap:data/can.",
        autocompletion=completion.scenes,
    ),
]
TeacherOption = Annotated[
    str | None,
    typer.Option(help="Teacher to use instead of the recipe's.", autocompletion=completion.teachers),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, such as image_size=200, student.width=64.",
        autocompletion=completion.settings,
    ),
]
ExportOption = Annotated[
    str | None,
    typer.Option(
        "--export",
        help="Exports to make, comma-separated; an empty string for none.",
        autocompletion=completion.exporters,
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        help="Test views to score: all, or those that a publication scores, such as mobiler2l.",
        autocompletion=completion.protocols,
    ),
]
AgainOption = Annotated[bool, typer.Option("--again", help="Run a finished stage and all stages after it again.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="CPU threads; all cores by default.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
PicturesOption = Annotated[
    bool,
    typer.Option("--pictures/--no-pictures", help="Show previews in a terminal that supports images."),
]
RunsOption = Annotated[Path, typer.Option("--runs", help="The folder that holds runs.")]

#: The default folder of runs.
RUNS = Path("runs")


def run_folder(run: Path, runs: Path = RUNS) -> Path:
    """Return the folder of a run given by path, or by its name under ``runs``.

    Raises:
        UserError: it is a file, and missing.

    """
    if run.exists():
        return run
    if run.suffix in (".safetensors", ".html"):
        raise UserError(f"{run}: no such file")
    return runs / run if len(run.parts) == 1 and (runs / run).is_dir() else run


def examples(*lines: str) -> str:
    r"""Return the epilog of a command's help that shows how it is used.

    >>> examples("nfcore doctor")
    '\x08\nExamples:\n  nfcore doctor'
    """
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
