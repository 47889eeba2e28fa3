"""Keeps the unit lane one of units: a test that is not marked ``slow`` starts no process.

Starts the longest files first, so that no worker is left with one of them while the others have ended. Gives all
tests of a plugin to one worker, which then imports the plugin's libraries, converts its students and runs its runs
once.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

import pytest

# Installed loggers track the runs of their own tests only: W&B starts a process for each.
os.environ["WANDB_MODE"] = "disabled"
os.environ.pop("MLFLOW_TRACKING_URI", None)

#: Files of whole runs and sweeps, which take longest.
LONGEST = (
    "plugins/nfcore-ray/tests/test_sweep.py",
    "plugins/nfcore-ray/tests/test_interrupted_sweeps.py",
    "plugins/nfcore-guided/tests/test_exports.py",
    "tests/test_main_job.py",
    "tests/kit/test_standard_tests.py",
    "plugins/nfcore-web/tests/test_view.py",
    "tests/test_docs.py",
    "tests/test_third_party_plugin.py",
    "plugins/nfcore-onnx/tests/test_eight_bits.py",
    "tests/test_processes.py",
    "tests/test_fuzzed_files.py",
    "tests/test_scaffolded_plugins.py",
    "tests/test_without_student.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first; the others keep their order."""
    place = {config.rootpath / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """With ``--dist loadfile``: give a worker a file of the core's tests at a time, or all tests of a plugin."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByPlugin(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return file.rpartition("/")[0] if file.startswith("plugins/") else file

    return ByPlugin(config, log)


@pytest.fixture(scope="session", autouse=True)
def _conversions_are_kept() -> Iterator[None]:
    """A worker converts a student once, however many other students it converts in between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nfcore.exports.conversions.Conversions.kept", 100)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse processes while a test without the marker runs, and its fixtures."""
    if item.get_closest_marker("slow"):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", _refuse)
        patch.setattr(BaseProcess, "start", _refuse)
        return (yield)


def _refuse(*_: object, **__: object) -> NoReturn:
    pytest.fail("a test that starts a process is slow: mark it, its class or its file with pytest.mark.slow")
