"""``nfcore doctor``: check the installation, and say how to repair what is broken."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer

from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, say
from nfcore.errors import UserError
from nfcore.plugin.imports import ENDS_THE_PROCESS, import_problems, result_of, silent_processes
from nfcore.plugin.installed import named_in, plugin_folders, plugins
from nfcore.plugin.isolation import reason
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.stale_installs import stale_installs

_CORE = "neural-field-core"
_REINSTALL = "pip install --force-reinstall torch"
_GIB = 1 << 30
#: More than the files of a run of the paper's recipe take.
_ENOUGH_DISK = 2 * _GIB


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        check: what was checked.
        status: ``ok``; ``note`` (intended by the user); ``warning`` (may fail); ``broken``.
        text: what was found.
        hint: what to do about it.

    """

    check: str
    status: Literal["ok", "note", "warning", "broken"]
    text: str
    hint: str = ""


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples("nfcore doctor", "nfcore doctor --isolated"))(doctor)


def doctor(
    context: typer.Context,
    runs: Annotated[Path, typer.Option("--runs", help="The folder that holds runs.")] = Path("runs"),
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated",
            help="Only import each plugin, in a process of its own: finds one that ends or blocks it.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the installation: packages, plugins, torch, disk. Exits with 1 if anything is broken."""
    findings = list(_alone() if isolated else _all(context, runs))
    broken = [finding for finding in findings if finding.status == "broken"]
    if as_json:
        print_json({"ok": not broken, "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            say(f"{finding.status:8} {finding.check}: {finding.text}")
            if finding.hint:
                say(f"{'':8} -> {finding.hint}")
        say(f"{len(broken)} broken" if broken else "Nothing is broken.")
    raise typer.Exit(1 if broken else 0)


def _all(context: typer.Context, runs: Path) -> Iterator[Finding]:
    manager = plugins()
    context.find_root().command.list_commands(context)  # type: ignore[attr-defined]  # a plugin's own may fail
    with silent_processes() as processes:
        torch = processes.submit(_torch)
        components = list(_components(manager, processes))
        yield from _python()
        own = {_CORE, *(p.distribution for p in manager.plugins)}
        yield from _versions(own)
        yield from _requirements(own)
        yield from _plugins(manager)
        yield from _survived(torch)
        yield from components
        yield from _disk(runs)


def _survived(torch: Future[list[Finding]]) -> list[Finding]:
    try:
        return result_of(torch, _torch)
    except BrokenProcessPool:
        return [Finding("torch", "broken", ENDS_THE_PROCESS, _REINSTALL)]


def _alone() -> Iterator[Finding]:
    from nfcore.plugin.processes import each_alone

    for source, problem in each_alone(plugin_folders()):
        if problem is None:
            yield Finding(f"plugin {source}", "ok", "imported in a process of its own")
        else:
            hint = f"NFCORE_PLUGINS_DISABLE={source.distribution}, or uninstall it"
            yield Finding(f"plugin {source}", "broken", problem, hint)


def _python() -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    version, wanted = platform.python_version(), metadata.metadata(_CORE)["Requires-Python"]
    if SpecifierSet(wanted).contains(version, prereleases=True):
        yield Finding("python", "ok", version)
    else:
        yield Finding(
            "python", "broken", f"{version}, but nfcore needs {wanted}", "create an environment with that version"
        )


def _versions(distributions: set[str]) -> Iterator[Finding]:
    """Find distributions that are there in several versions, of which Python takes the first on its path."""
    for name in sorted(distributions):
        places = {found.version: str(found.locate_file("")) for found in metadata.distributions(name=name)}
        if len(places) > 1:
            text = ", ".join(f"{version} in {place}" for version, place in places.items())
            hint = f"pip uninstall {name} until none is left, then install one; check PYTHONPATH"
            yield Finding(f"versions of {name}", "warning", f"there is more than one: {text}", hint)


def _requirements(distributions: set[str]) -> Iterator[Finding]:
    """Compare the declared requirements of each distribution with what is installed."""
    for name in sorted(distributions):
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            yield Finding(f"needs of {name}", "note", "runs from source: it is not installed")
            continue
        present, wrong = _compared(found.requires or [])
        check = f"needs of {name} {found.version}"
        if present and not wrong:
            yield Finding(check, "ok", ", ".join(present))
        for text, requirement in wrong:
            yield Finding(check, "broken", text, f"pip install '{requirement}'")


def _compared(requirements: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the satisfied requirements, and what is wrong with each of the others."""
    from packaging.requirements import InvalidRequirement, Requirement

    present, wrong = [], []
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            wrong.append((f"its metadata is damaged: {reason(error)}", text))
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append((f"{requirement.name} is missing", wanted))
            continue
        if requirement.specifier.contains(version, prereleases=True):
            present.append(f"{requirement.name} {version}")
        else:
            wrong.append((f"{requirement.name} {version} is out of range ({requirement.specifier})", wanted))
    return present, wrong


def _plugins(manager: PluginManager) -> Iterator[Finding]:
    stale = list(stale_installs())
    reinstall = {install.distribution: install.hint for install in stale}
    for plugin in manager.plugins:
        check = f"plugin {plugin.source.name} {plugin.source.version}"
        if plugin.problem:
            hint = reinstall.get(plugin.distribution) or _advice(plugin.distribution, plugin.problem)
            yield Finding(check, "broken", plugin.problem, hint)
        else:
            offers = [f"{c.kind} {c.name}" for c in plugin.components]
            offers += [f"recipe {r.name}" for r in plugin.recipes]
            offers += [f"publication {p.name}" for p in plugin.publications]
            yield Finding(check, "ok", ", ".join(offers) or "hooks only")
    for source, variable in manager.disabled:
        yield Finding(f"plugin {source.name} {source.version}", "note", f"disabled by {variable}")
    known = {source.distribution for source, _ in manager.disabled} | {p.distribution for p in manager.plugins}
    for variable in ("NFCORE_PLUGINS_ONLY", "NFCORE_PLUGINS_DISABLE"):
        for name in sorted(named_in(variable, os.environ) - known):
            yield Finding(variable, "warning", f"names {name!r}, which is not installed")
    for install in stale:
        check = f"entry points of {install.distribution} {install.version}"
        yield Finding(check, "broken", install.problem, install.hint)


def _advice(distribution: str, problem: str) -> str:
    if "more than one distribution" in problem:
        return ""  # the problem names its fix
    if "ModuleNotFoundError" in problem:
        text = f"pip install --upgrade {distribution} installs what it declares"
    else:
        text = f"a newer {distribution} may work"
    return f"{text}; until then NFCORE_PLUGINS_DISABLE={distribution}"


def _components(manager: PluginManager, processes: ProcessPoolExecutor) -> Iterator[Finding]:
    """Import every component: listings skip that because it is slow."""
    from nfcore.evaluation.publications import read_tables

    named = [(plugin, component, manager.problem(plugin, component)) for plugin, component in manager.components()]
    wrong = [(plugin, component, problem) for plugin, component, problem in named if problem is not None]
    usable = [(plugin, component) for plugin, component, problem in named if problem is None]
    wrong += import_problems(usable, plugin_folders(), processes)
    for plugin, component, problem in wrong:
        check = f"{component.kind} {component.name} of {plugin}"
        yield Finding(check, "broken", problem, _advice(plugin.distribution, problem))
    for plugin, recipe in manager.recipes():
        if (fault := manager.recipe_problem(plugin, recipe)) is not None:
            yield Finding(f"recipe {recipe.name} of {plugin}", "broken", fault)
    for plugin, publication in manager.publications():
        try:
            read_tables(publication.path)
        except UserError as error:
            yield Finding(f"publication {publication.name} of {plugin}", "broken", str(error))
    if not wrong:
        yield Finding("components", "ok", f"all {len(named)} can be imported")


def _torch() -> list[Finding]:
    try:
        import torch

        from nfcore.training.precision import gains_from_bf16
    except (ImportError, OSError) as error:
        return [Finding("torch", "broken", reason(error), _REINSTALL)]
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    bf16 = "bf16 is fast (AMX)" if gains_from_bf16() else "bf16 gains nothing (no AMX)"
    found = [Finding("torch", "ok", f"{torch.__version__}, {threads}, {bf16}")]
    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found.append(Finding("CUDA", "ok", f"{torch.version.cuda}: {', '.join(devices)}"))
    else:
        found.append(Finding("CUDA", "note", "no device: training runs on the CPU"))
    return found


def _disk(runs: Path) -> Iterator[Finding]:
    folder = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("runs", "ok", f"{folder} can be written")
    except OSError as error:
        text = f"{folder} can't be written: {error.strerror}"
        yield Finding("runs", "broken", text, "choose another folder with --runs FOLDER")
    free = shutil.disk_usage(folder).free
    short = free < _ENOUGH_DISK
    text = f"{free / _GIB:.1f} GiB free at {folder}"
    yield Finding(
        "disk", "warning" if short else "ok", text, "free some space: a run may need 2 GiB" if short else ""
    )
