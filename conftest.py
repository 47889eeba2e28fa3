"""Keeps the unit lane one of units: a test that is not marked ``slow`` starts no process."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from multiprocessing.process import BaseProcess
from typing import NoReturn

import pytest


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
