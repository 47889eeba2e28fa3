"""Runs conformance classes in this process and records the outcome of each test."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from unittest import mock

import pytest

from nfcore.testing.base import Conformance, standard_tests

Result = Literal["passed", "failed", "expected to fail", "not verified"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of one standard test.

    Args:
        group: the name of the test class.
        test: the name of the test.
        rule: the id of the rule that it tests.
        result: ``not verified`` means that this platform can't run it.
        broken: the id of the broken rule; not ``rule`` if that one could not be tested because of another.
        reason: the rule that is broken, what was found and what would be right; empty for a test that passed.

    """

    group: str
    test: str
    rule: str
    result: Result
    broken: str | None = None
    reason: str = ""


@dataclass
class Collector:
    """A pytest plugin that records the outcomes."""

    outcomes: list[Outcome] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    classes: dict[str, type[Conformance]] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep only the standard tests; the plugin's further tests are run by its own pytest."""
        kept = []
        for item in items:
            cls = item.cls if isinstance(item, pytest.Function) else None
            if isinstance(cls, type) and issubclass(cls, Conformance) and item.name in standard_tests(cls):
                self.classes[cls.__name__] = cls
                kept.append(item)
        items[:] = kept

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a test class that can't be built."""
        if report.failed:
            self.errors.append(_reason(report))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Function, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Record a test's outcome, or why it could not run."""
        report = yield
        if report.when != "call" and report.passed:
            return report
        rule, result = standard_tests(item.cls)[item.name], _result(report)
        error = call.excinfo.value if call.excinfo is not None else None
        broken = getattr(error, "rule", rule) if result == "failed" else None
        self.outcomes.append(Outcome(item.cls.__name__, item.name, rule, result, broken, _reason(report)))
        return report


def run_file(path: Path) -> Collector:
    """Run the standard tests of the conformance classes in a Python file, independent of any pytest settings."""
    collector = Collector()
    arguments = [str(path), "-p", "no:cacheprovider", "-p", "no:terminal", "-c", os.devnull, "--noconftest"]
    arguments += ["--rootdir", str(path.parent), "--import-mode=importlib"]
    said = io.StringIO()
    with (
        # Not in the folder of all pytest runs: they clean it up, which fails while others do.
        tempfile.TemporaryDirectory(prefix="nfcore-check-") as folder,
        _alone(path.stem),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        code = pytest.main([*arguments, f"--basetemp={folder}/tests"], plugins=[collector])
    fine = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if code not in fine and not collector.errors:
        collector.errors.append(f"pytest stopped with code {int(code)}: {said.getvalue().strip()}")
    return collector


@contextlib.contextmanager
def _alone(module: str) -> Iterator[None]:
    """Hide the caller's pytest plugins and options, and another ``module`` of the same name."""
    imported = sys.modules.pop(module, None)
    with mock.patch.dict(os.environ, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}):
        os.environ.pop("PYTEST_ADDOPTS", None)
        os.environ.pop("PYTEST_PLUGINS", None)
        yield
    sys.modules.pop(module, None)
    if imported is not None:
        sys.modules[module] = imported


def _result(report: pytest.TestReport) -> Result:
    if hasattr(report, "wasxfail"):
        return "expected to fail" if report.skipped else "failed"
    if report.passed:
        return "passed"
    return "not verified" if report.skipped else "failed"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the text of a failure without its traceback."""
    if hasattr(report, "wasxfail") and report.skipped:
        return str(report.wasxfail)
    if report.passed:
        return ""
    representation = report.longrepr
    if isinstance(representation, tuple):  # a skip: file, line, reason
        return representation[2].removeprefix("Skipped: ")
    crash = getattr(representation, "reprcrash", None)
    text = crash.message if crash is not None else str(representation)
    return text.removeprefix("AssertionError: ").removeprefix("Failed: ").strip()
