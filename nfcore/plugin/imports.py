"""The classes of all components imported, on all cores: what takes longest of checking an installation."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, TypeVar

from nfcore.errors import PluginError
from nfcore.plugin.components import Component, Kind
from nfcore.plugin.installed import plugins, use_plugin_folders
from nfcore.plugin.isolation import Plugin

T = TypeVar("T")
P = ParamSpec("P")

ENDS_THE_PROCESS = "its import ends the process"
_MOST_PROCESSES = 4  # each imports torch


def silent_processes(count: int | None = None) -> ProcessPoolExecutor:
    """Return processes whose output is discarded: libraries, also native ones, write while they are imported.

    Args:
        count: how many; by default one for each core, and at most 4.

    """
    count = count or min(os.cpu_count() or 1, _MOST_PROCESSES)
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _only_imports)


def import_problems(
    offered: Iterable[tuple[Plugin, Component]], folders: Sequence[Path], processes: ProcessPoolExecutor
) -> Iterator[tuple[Plugin, Component, str]]:
    """Yield the components whose class can't be imported, each with its plugin and the reason.

    Args:
        offered: what to import.
        folders: source folders that plugins are loaded from, in addition to installed ones.
        processes: import the classes; a distribution's are imported by one of them.

    """
    of_each: dict[str, list[tuple[Plugin, Component]]] = {}
    for plugin, component in offered:
        of_each.setdefault(plugin.distribution, []).append((plugin, component))
    tasks = {
        name: (tuple(folders), name, [(c.kind, c.name) for _, c in components])
        for name, components in of_each.items()
    }
    futures = {name: processes.submit(_problems, *task) for name, task in tasks.items()}
    for name, future in futures.items():
        try:
            problems = result_of(future, _problems, *tasks[name])
        except BrokenProcessPool:
            problems = [ENDS_THE_PROCESS] * len(of_each[name])
        for (plugin, component), problem in zip(of_each[name], problems, strict=True):
            if problem is not None:
                yield plugin, component, problem


def result_of(future: Future[T], function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Return the result of a future of ``function``; if its process has ended, call that again in a process alone.

    Raises:
        BrokenProcessPool: ``function`` ends its process; before, it may have been any other one there.

    """
    try:
        return future.result()
    except BrokenProcessPool:
        with silent_processes(1) as process:
            return process.submit(function, *arguments, **named).result()


def _problems(
    folders: tuple[Path, ...], distribution: str, components: list[tuple[Kind, str]]
) -> list[str | None]:
    use_plugin_folders(folders)
    return [_problem(distribution, *component) for component in components]


def _problem(distribution: str, kind: Kind, name: str) -> str | None:
    try:
        plugins().load(kind, f"{distribution}/{name}")
    except PluginError as error:
        return str(error)
    return None


def _only_imports() -> None:
    """Prepare this process for imports: what it writes is discarded, and garbage, of which they leave none."""
    gc.disable()
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
