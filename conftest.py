"""Keeps the unit lane one of units: a test that is not marked ``slow`` starts no process.

Leaves files that are slow as a whole uncollected there: each worker would import what they test. Gives each test
one thread of torch and the same random numbers. Starts what takes longest first, so that no worker is left with it
while the others have ended. Gives all tests of a plugin to one worker, which then imports the plugin's libraries,
converts its students and runs its runs once. Searches for garbage less often.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
from collections.abc import Generator, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

import pytest

# Installed loggers track the runs of their own tests only: W&B starts a process for each.
os.environ["WANDB_MODE"] = "disabled"
os.environ.pop("MLFLOW_TRACKING_URI", None)

#: What takes longest, in this order: plugins, which one worker tests as a whole, and files.
LONGEST = (
    "plugins/nfcore-web/tests",
    "plugins/nfcore-ray/tests",
    "plugins/nfcore-coreml/tests",
    "plugins/nfcore-onnx/tests",
    "tests/test_main_job.py",
    "plugins/nfcore-guided/tests",
    "plugins/nfcore-webgl/tests",
    "tests/kit/test_standard_tests.py",
    "plugins/nfcore-executorch/tests",
    "plugins/nfcore-teachers/tests",
    "plugins/nfcore-scenes/tests",
    "tests/test_docs.py",
    "tests/test_third_party_plugin.py",
    "tests/test_processes.py",
    "plugins/nfcore-snapml/tests",
    "plugins/nfcore-openvino/tests",
    "tests/test_fuzzed_files.py",
    "tests/test_scaffolded_plugins.py",
    "tests/test_without_student.py",
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tests compute small things, in as many processes as there are cores: a second thread only waits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    """What a test draws does not depend on the tests before it."""
    import torch

    torch.default_generator.manual_seed(0)  # torch.manual_seed formats the stack, for GPUs not in use
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


#: The line that marks a whole file.
_ALL_SLOW = re.compile(r"^pytestmark = .*\bslow\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """In the unit lane, leave out files that are slow as a whole, and folders of such files with a conftest."""
    files = collection_path.rglob("test_*.py") if collection_path.name == "tests" else [collection_path]
    tests = [file for file in files if file.name.startswith("test_")]
    unit_lane = config.option.markexpr == "not slow" and tests
    if unit_lane and all(_ALL_SLOW.search(file.read_text(encoding="utf-8")) for file in tests):
        return True
    return None  # as pytest says


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes longest first; the others keep their order."""
    place = {config.rootpath / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, place.get(item.path.parent, len(LONGEST))))


def pytest_collection_finish() -> None:
    """Search for garbage less often, and not in what stays: it took a tenth of the time of tests that convert."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


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
