"""The hooks that a plugin may implement. A plugin's module imports ``nfcore`` and nothing heavy.

An implementation may leave out arguments that it does not need. Each plugin's hooks are called separately, so
one that raises does not affect the others. Two options of ``nfcore.hookimpl`` work as in pluggy: ``specname`` (the
function has another name than its hook) and ``optionalhook`` (a hook that this nfcore lacks is not an error).
``wrapper``, ``hookwrapper``, ``tryfirst`` and ``trylast`` would affect other plugins' calls: a plugin that uses
one of them is refused with an error that says so.

The run hooks, ``nfcore_stage_started`` and those after it, let a plugin follow a run: log it, plot it, send it
elsewhere. They are called one after another from the thread that runs the stages, which waits for them: hand long
work to a thread of your own. They only observe: each call gets copies, and random numbers that it draws from
torch's default generator do not change the run. A plugin whose run hook raises is switched off for the rest of
the run, with one line that says why.

Example:
    >>> import nfcore
    >>> @nfcore.hookimpl(specname="nfcore_components")
    ... def my_components():
    ...     yield nfcore.Component("teacher", "mine", "my_package.teacher:Mine", level=2)

"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import typer
    from torch import Tensor

    from nfcore.plugin.components import Component, Publication, Recipe

hookspec = pluggy.HookspecMarker("nfcore")
hookimpl = pluggy.HookimplMarker("nfcore")


@hookspec
def nfcore_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Yield the components that this plugin offers."""


@hookspec
def nfcore_recipes() -> Iterable[Recipe]:  # type: ignore[empty-body]
    """Yield the recipes (named pipelines) that this plugin offers."""


@hookspec
def nfcore_publications() -> Iterable[Publication]:  # type: ignore[empty-body]
    """Yield the published figures that this plugin's runs can be compared with."""


@hookspec
def nfcore_commands(app: typer.Typer) -> None:
    """Add this plugin's own commands to the ``nfcore`` command line."""


@hookspec
def nfcore_stage_started(run: Path, stage: str) -> None:
    """Called once before a stage starts, also when it resumes after an interruption.

    ``nfcore_stage_finished`` or ``nfcore_run_failed`` follows for the same stage, unless the process is killed.

    Args:
        run: the run's folder. A plugin may write to a sub-folder that has its own name.
        stage: ``"teach"``, ``"distill"``, ``"finetune"``, ``"evaluate"``, ``"render"`` or ``"export.<label>"``.

    """


@hookspec
def nfcore_step(run: Path, stage: str, step: int, total: int, scalars: Mapping[str, float]) -> None:
    """Called whenever a stage reports its progress: every ten steps in training.

    Args:
        run: the run's folder.
        stage: the stage's name.
        step: how much is done: optimisation steps, views or frames, from 1. It rises within a stage, but a stage
            that was interrupted resumes from its last checkpoint, so steps after that are reported again.
        total: how much there is to do, as known so far; training that is limited by time may end earlier.
        scalars: figures such as ``{"psnr": 27.1}``, in dB.

    """


@hookspec
def nfcore_images(run: Path, stage: str, step: int, name: str, image: Tensor) -> None:
    """Called when a stage shows a preview: about every 20 seconds in training.

    Args:
        run: the run's folder.
        stage: the stage's name.
        step: the last reported step, 0 if there was none.
        name: what is shown, such as ``"student"``.
        image: (height, width, 3) float32 RGB in [0, 1] on any device, without gradients.

    """


@hookspec
def nfcore_stage_finished(run: Path, stage: str, figures: Mapping[str, object]) -> None:
    """Called once when a stage has finished and its results are in the run's folder.

    Args:
        run: the run's folder.
        stage: the stage's name.
        figures: what the stage adds to ``summary.json``, under the same names: numbers, strings, booleans.

    """


@hookspec
def nfcore_run_failed(run: Path, stage: str, error: str) -> None:
    """Called once when a stage fails or is interrupted from the keyboard, before the run ends.

    Args:
        run: the run's folder. Finished stages stay finished; ``nfcore run --resume`` continues from there.
        stage: the stage's name.
        error: what went wrong, in one line.

    """
