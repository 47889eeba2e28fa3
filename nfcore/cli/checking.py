"""The checks of ``nfcore plugins check``: how a plugin offers its components, and their standard tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nfcore.cli.info import matching
from nfcore.errors import NfcoreError, PluginError, UserError
from nfcore.io.files import read_text
from nfcore.options import parse
from nfcore.plugin.components import Component
from nfcore.plugin.entry_points import in_folder
from nfcore.plugin.installed import plugin_folders, plugins, use_plugin_folders
from nfcore.plugin.isolation import Plugin

if TYPE_CHECKING:
    from nfcore.testing.running import Outcome

#: Packages that take so long to import that only a plugin's components may import them, not its own module.
HEAVY = ("torch", "onnx", "onnxruntime", "coremltools", "tensorflow", "jax")
_PASSED = ("passed", "expected to fail", "not verified")


@dataclass
class Report:
    """The findings on one component.

    Args:
        plugin: the plugin that offers it.
        component: the component.
        problems: what is wrong with it apart from failed standard tests.
        outcomes: the outcomes of its standard tests.

    """

    plugin: Plugin
    component: Component
    problems: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.plugin.distribution}/{self.component.name}"

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and all(outcome.result in _PASSED for outcome in self.outcomes)

    def as_data(self) -> dict[str, Any]:
        """Return the report for scripts."""
        return {
            "kind": self.component.kind,
            "name": self.name,
            "passed": self.passed,
            "problems": self.problems,
            "tests": [
                {"class": o.group, "test": o.test, "rule": o.rule, "result": o.result, "reason": o.reason}
                | ({"broken": o.broken} if o.broken else {})
                for o in self.outcomes
            ],
        }


def reports_on(name: str, options: dict[str, Any]) -> list[Report]:
    """Return a report on each component that ``name`` means: a component, a distribution or a folder."""
    folder = Path(name)
    if (folder / "pyproject.toml").is_file():
        reports = [Report(plugin, component) for plugin, component in _of_folder(folder)]
        if not options:
            _run_own_tests(folder, reports)
    else:
        reports = [Report(plugin, component) for plugin, component in matching(plugins(), name)]
    heavy = {name: _imports_at_once(name) for name in {report.plugin.distribution for report in reports}}
    for report in reports:
        report.problems = _problems(report, heavy[report.plugin.distribution])
        if not report.outcomes:
            _run_standard_tests(report, options)
    return reports


def _of_folder(folder: Path) -> list[tuple[Plugin, Component]]:
    """Return the components of the plugin in ``folder``, installed or not.

    Raises:
        PluginError: the plugin is broken.

    """
    use_plugin_folders([*plugin_folders(), folder.resolve()])
    distributions = {source.distribution for source in in_folder(folder)}
    for plugin in plugins().plugins:
        if plugin.problem and plugin.distribution in distributions:
            why = plugin.problem if plugin.error is None else _described(plugin.error)
            raise PluginError(f"{plugin} is broken: {why}")
    return [(p, c) for p, c in plugins().components() if p.distribution in distributions]


def _problems(report: Report, heavy: list[str]) -> list[str]:
    """Return the faults in how the plugin offers the component."""
    problems = []
    if not report.component.summary.strip():
        problems.append("its Component has no summary: describe it in one line")
    if heavy:
        problems.append(
            f"the plugin's module imports {', '.join(heavy)}, which every listing would wait for: "
            "only the module that the target names may"
        )
    problem = plugins().problem(report.plugin, report.component)
    return problems + ([problem] if problem else [])


def _imports_at_once(distribution: str) -> list[str]:
    """Return the heavy packages that listing a distribution's plugins imports, as seen by a new Python process."""
    folders = [str(folder.resolve()) for folder in plugin_folders()]
    code = (
        "import json, pathlib, sys\nfrom nfcore.plugin.installed import plugins, use_plugin_folders\n"
        f"use_plugin_folders(map(pathlib.Path, {folders!r}))\nplugins()\n"
        f"sys.stdout.write(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    environment = os.environ | {"NFCORE_PLUGINS_ONLY": distribution, "NFCORE_PLUGINS_DISABLE": ""}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)  # noqa: S603
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise NfcoreError(f"the plugins of {distribution} can't be listed by {sys.executable}: {reason}")
    imported: list[str] = json.loads(run.stdout)
    return imported


def _run_own_tests(folder: Path, reports: list[Report]) -> None:
    """Run the plugin's own conformance classes, which have suitable options and known failures."""
    from nfcore.testing.running import run_file

    for path in sorted((folder / "tests").rglob("test_*.py")):
        if "nfcore.testing" not in read_text(path):
            continue
        collector = run_file(path.resolve())
        if collector.errors:
            raise PluginError(f"{path}: {collector.errors[0]}")
        for group, cls in collector.classes.items():
            for report in reports:
                if cls.kind == report.component.kind and _is_meant(cls.component, report):
                    report.outcomes += [o for o in collector.outcomes if o.group == group]


def _is_meant(component: str | type[Any], report: Report) -> bool:
    """Whether a conformance class tests the component of the report."""
    if isinstance(component, str):
        return component in (report.name, report.component.name)
    return report.component.target == f"{component.__module__}:{component.__qualname__}"


def _run_standard_tests(report: Report, options: dict[str, Any]) -> None:
    """Run the standard tests of a component with the given options, its defaults for the others."""
    from nfcore.testing.running import run_file

    kind, where = report.component.kind, f"{report.component.kind} {report.name!r}"
    try:
        cls = _loaded(report)
        known = {key: value for key, value in options.items() if key in cls.Options.model_fields}
        parse(cls.Options, known, where)
    except UserError as error:
        report.problems.append(f"not tested: {error}")
        return
    except AttributeError as error:
        report.problems.append(f"not tested: {report.component.target} is no {kind}: {error}")
        return
    base = f"{''.join(word.title() for word in kind.split('_'))}Conformance"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test_component.py"
        path.write_text(
            f"from nfcore.testing import {base}\n\n\n"
            f"class TestComponent({base}):\n    component = {report.name!r}\n    options = {known!r}\n",
            encoding="utf-8",
        )
        collector = run_file(path)
    report.problems += collector.errors
    report.outcomes += collector.outcomes


def _loaded(report: Report) -> Any:
    """Return the component's class; an error while importing it names the line of the plugin."""
    try:
        return plugins().load(report.component.kind, report.name)
    except PluginError as error:
        if error.__cause__ is None:
            raise
        package = report.component.target.partition(".")[0].partition(":")[0]
        raise PluginError(f"can't be loaded: {_described(error.__cause__, package)}") from error


def _described(error: BaseException, package: str | None = None) -> str:
    """Return an error in one line, with the line of the plugin that raised it."""
    from nfcore.testing.contract import described

    return described(error, package)
