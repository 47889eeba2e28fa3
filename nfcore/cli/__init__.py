"""The ``nfcore`` command, and the helpers that plugins' commands share with it.

Heavy packages are imported only when a command that needs them runs.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from nfcore import __version__
from nfcore.cli import bench, compare, doctor, plugins, recipes, render, report, runs, scene, shrink
from nfcore.cli.defects import described, quiet_faults
from nfcore.cli.group import PluginGroup, use_plugins_dir
from nfcore.cli.options import (
    ModelArgument,
    QuietOption,
    RunArgument,
    RunsOption,
    ThreadsOption,
    examples,
    run_folder,
)
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.errors import Interrupted, NfcoreError, PluginError, UserError
from nfcore.plugin import guard
from nfcore.plugin.isolation import reason
from nfcore.runtime import signals
from nfcore.runtime.plain_text import plain_lines

__all__ = [
    "JsonOption",
    "ModelArgument",
    "QuietOption",
    "RunArgument",
    "RunsOption",
    "ThreadsOption",
    "examples",
    "main",
    "print_json",
    "print_table",
    "run_folder",
    "say",
]

_LONGEST = 4000  # characters of an error

app = typer.Typer(
    name="nfcore",
    cls=PluginGroup,
    help="Turn posed photos into a neural light field that renders in real time on a phone.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text: nothing is cut in a narrow terminal, and rich is not imported
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs.add_to(app)
render.add_to(app)
bench.add_to(app)
shrink.add_to(app)
scene.add_to(app)
compare.add_to(app)
report.add_to(app)
app.add_typer(plugins.app, name="plugins")
app.add_typer(recipes.app, name="recipes")
doctor.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"nfcore {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
    plugins_dir: Annotated[
        list[Path] | None,
        typer.Option(
            help="Run the plugins in this folder from source, without installing them.",
            callback=use_plugins_dir,
            is_eager=True,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options before the command's name; ``main`` itself looks for ``--debug``."""


def main() -> None:
    """Run the command line: exit code 2 for a user's mistake, 1 for any other failure."""
    code: object = 0
    try:
        _main()
    except SystemExit as end:
        code = end.code
        raise
    finally:
        # The process ends with all that it has: searching that for unused cycles would take 0.4 s after torch.
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)
        atexit.unregister(guard.end_quietly)
        atexit.register(guard.end_quietly)  # last, so that it is called before the plugins' own
        guard.end_without_threads(int(code or 0))  # type: ignore[call-overload]


def _main() -> None:
    # Threads that spin while waiting for each other make work up to 30 times slower on a machine that has other
    # work, and gain almost nothing on an idle one. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What the GPU of a Mac can't do, torch then does on the CPU; it reads this when it is imported, too.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    # Python has no stream where the caller has closed its descriptor: nfcore ... >&-
    sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name of a file may be what the terminal can't show
            stream.reconfigure(errors="backslashreplace")
    with signals.handled(), quiet_faults():
        try:
            _check_arguments(sys.argv)
            app()
        except SystemExit as end:
            if end.code is None or isinstance(end.code, int):
                raise
            _fail(reason(PluginError(end.code)), 1)  # what a plugin's command says with its exit
        except Interrupted as stop:
            _fail(str(stop), stop.exit_code)
        except NfcoreError as error:
            _fail(str(error), error.exit_code)
        except OSError as error:
            _fail(f"{error.filename or 'input/output'}: {error.strerror or error}", 1)
        except Exception as error:
            _fail(described(error), 1)


def _check_arguments(arguments: list[str]) -> None:
    """Raise a UserError for a name that is no text: no file that nfcore writes could hold it."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UserError(f"{argument}: not text in UTF-8: rename it") from None


def _fail(text: str, exit_code: int) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    rank = os.environ.get("RANK", "0")  # as torchrun sets it
    who = "nfcore" if rank == "0" else f"nfcore (process {rank})"
    if len(text) > _LONGEST:  # its end says what would be right
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    sys.stderr.write(f"{who}: {plain_lines(text)}\n")
    raise SystemExit(exit_code)
