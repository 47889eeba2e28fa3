"""What code of a plugin changes for the whole process is put back, so that others do not pay for it."""

from __future__ import annotations

import builtins
import gc
import json
import os
import pathlib
import signal
import sys
import threading

import numpy as np
import pytest
import tiny
import torch
from plugins_in_memory import offering

from nfcore import Component
from nfcore.cli.output import json_alone, print_json
from nfcore.plugin.guard import guarded
from nfcore.plugin.manager import PluginManager


def replace(place: object, name: str) -> None:
    setattr(place, name, None)


CHANGES = {
    "a builtin": lambda: replace(builtins, "len"),
    "a deleted builtin": lambda: delattr(builtins, "open"),
    "json.dumps": lambda: replace(json, "dumps"),
    "what the guard itself uses": lambda: [replace(os, name) for name in ("dup2", "getcwd", "umask", "chdir")],
    "sys.exit and its hook": lambda: [replace(sys, name) for name in ("exit", "excepthook")],
    "a class": lambda: replace(pathlib.Path, "exists"),
    "a method that a class inherits": lambda: replace(type(pathlib.Path()), "exists"),
    "modules": sys.modules.clear,
    "import hooks": lambda: [sys.meta_path.clear(), sys.path_hooks.clear()],
    "arguments": sys.argv.clear,
    "environment": os.environ.clear,
    "numpy's errors": lambda: np.seterr(all="raise"),
    "garbage": gc.disable,
    "determinism": lambda: torch.use_deterministic_algorithms(True),
    "a blocked signal": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM]),
    "the wake-up descriptor": lambda: signal.set_wakeup_fd(os.open("/dev/null", os.O_WRONLY | os.O_NONBLOCK)),
}


def state() -> list[object]:
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    return [
        *(dict(space.__dict__) for space in (builtins, json, os, pathlib.Path, type(pathlib.Path()))),
        sys.exit, sys.excepthook, list(sys.meta_path), list(sys.path_hooks), list(sys.argv),
        np.geterr(), gc.isenabled(), torch.are_deterministic_algorithms_enabled(),
        signal.pthread_sigmask(signal.SIG_BLOCK, []), descriptor,
    ]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_is_put_back(change):
    before, modules, environment = state(), set(sys.modules), dict(os.environ)
    with guarded():
        change()
    assert state() == before
    assert modules <= set(sys.modules)
    assert environment.items() <= os.environ.items()


def test_what_is_added_stays(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("ADDED", raising=False)
    with guarded():
        sys.path.insert(0, "added")
        os.environ["ADDED"] = "1"
    assert sys.path[-1] == "added"
    assert os.environ.pop("ADDED") == "1"


def test_a_limit_is_put_back():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with guarded():
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_nothing_that_anybody_prints_reaches_json(capfd):
    with json_alone():
        sys.stdout.write("noise\n")
        other = threading.Thread(target=os.write, args=(1, b"noise\n"))
        other.start()
        print_json({"a": 1})
        os.write(1, b"noise\n")
        other.join()
    out, error = capfd.readouterr()
    assert json.loads(out) == {"a": 1}
    assert error.count("noise") == 3


class Changing(tiny.Square):
    """A loss whose construction prints and changes the process."""

    def __init__(self, options):
        super().__init__(options)
        os.write(1, b"printed")
        torch.set_default_dtype(torch.float64)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.drawn = torch.rand(1)


def test_what_the_construction_of_a_component_changes_is_put_back_but_for_random_numbers(capfd):
    component = Component("loss", "changing", f"{__name__}:Changing")
    manager = PluginManager([tiny.source(offering(component))])
    before = signal.getsignal(signal.SIGINT)
    first, second = (manager.build("loss", "changing", {}).drawn for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.get_default_dtype() is torch.float32
    assert signal.getsignal(signal.SIGINT) is before
    out, error = capfd.readouterr()
    assert (out, error) == ("", "printedprinted")
