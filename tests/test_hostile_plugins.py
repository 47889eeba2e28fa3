"""A plugin costs nobody but its own user anything: what it yields is copied, what it changes is restored."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path, PosixPath

import pytest
import torch
from command_line import nfcore
from installed import source_folder
from plugins_in_memory import hooks, offering
from tiny import source

from nfcore import Component, Interrupted, Recipe
from nfcore.plugin import entry_points, processes, watchdog
from nfcore.plugin.guard import guarded
from nfcore.plugin.manager import PluginManager
from nfcore.runs.lock import locked
from nfcore.runtime import signals
from nfcore.runtime.plain_text import markdown, plain


class Text(str):
    """A text that is not what it says."""

    __slots__ = ()


class Explosive(PosixPath):
    """A path that raises when it is asked for anything."""

    def is_file(self):
        raise RuntimeError("boom")


OFFERS = {
    "markers that are a number": Component("ray_source", "it", "m:X", markers=5),
    "markers that are a text": Component("ray_source", "it", "m:X", markers="transforms.json"),
    "a marker outside": Component("ray_source", "it", "m:X", markers=("../../etc",)),
    "a text of its own class": Component("teacher", Text("it"), "m:X"),
    "a level that is no number": Component("teacher", "it", "m:X", level=True),
    "a summary without end": Component("teacher", "it", "m:X", "x" * 10**6),
    "a path with a null": Recipe("it", Path("a\0b")),
}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_what_a_plugin_yields_is_checked_once(offer):
    thing = offering(recipes=(offer,)) if isinstance(offer, Recipe) else offering(offer)
    (plugin,) = PluginManager([source(thing)]).plugins
    assert plugin.problem
    assert not plugin.components
    assert not plugin.recipes


def test_a_path_of_a_plugins_own_class_becomes_a_plain_one():
    manager = PluginManager([source(offering(recipes=(Recipe("it", Explosive("/nowhere")),)))])
    assert type(manager.recipe("it").path) is PosixPath
    assert "no such file" in manager.recipe_problem(*manager.recipes()[0])


def test_a_plugin_that_yields_without_end_is_broken():
    def nfcore_components():
        while True:
            yield Component("teacher", "it", "m:X")

    (plugin,) = PluginManager([source(hooks(nfcore_components=nfcore_components))]).plugins
    assert "more than" in plugin.problem


def process() -> tuple[object, ...]:
    """What is the same for all that runs in this process."""
    mask = os.umask(0o077)
    os.umask(mask)
    state = (torch.is_grad_enabled(), torch.get_num_threads(), torch.get_rng_state().tolist(), sys.stderr)
    return (*state, mask, list(sys.path), list(warnings.filters), sys.getrecursionlimit())


def test_what_a_plugin_changes_for_the_process_is_restored(tmp_path, capfd):
    folder, handler = Path.cwd(), signal.getsignal(signal.SIGINT)
    before = process()
    with guarded():
        os.chdir(tmp_path)
        torch.set_default_dtype(torch.float64)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.setrecursionlimit(5000)
        sys.path.clear()
        os.umask(0o777)
        warnings.simplefilter("error")
        torch.set_grad_enabled(False)
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.rand(3)
        sys.stderr = None
        sys.__stdout__.write("printed")
        os.write(1, b"written")
    assert process() == before
    assert Path.cwd() == folder
    assert torch.get_default_dtype() is torch.float32
    assert signal.getsignal(signal.SIGINT) is handler
    out, error = capfd.readouterr()
    assert out == ""
    assert "written" in error


@pytest.mark.parametrize(
    ("error", "said"), [(KeyboardInterrupt(), "KeyboardInterrupt"), (Interrupted(2), "Interrupted")]
)
def test_a_plugins_own_interrupt_is_its_fault(error, said):
    def nfcore_components():
        raise error

    with signals.handled():
        (plugin,) = PluginManager([source(hooks(nfcore_components=nfcore_components))]).plugins
    assert plugin.problem.startswith(said)


def test_text_is_neither_an_escape_sequence_nor_markup():
    assert plain("a\x1b[31m\u202eb\ud800") == r"a\x1b[31m\u202eb\ud800"
    assert markdown("<img>|`x`") == r"\<img\>\|\`x\`"


def test_a_run_is_locked_once_and_again_by_its_own_process(tmp_path):
    notes = []
    with locked(tmp_path, notes.append), locked(tmp_path, notes.append):
        assert str(os.getpid()) in (tmp_path / "state" / "run.lock").read_text()
    assert not notes


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_said_and_the_run_goes_on(tmp_path, monkeypatch, number):
    """As some network drives answer."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    notes = []
    with locked(tmp_path, notes.append):
        (note,) = notes
    assert str(tmp_path) in note


LATE = """
import atexit
import sys
import time
import threading
import time

import nfcore

atexit.register(lambda: print("at exit"))
threading.Thread(target=time.sleep, args=(60,)).start()
sys.__stdout__.close()


@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("teacher", "late", "late_plugin:Late")
"""


FORKS = """
import os

import nfcore

os.fork()


@nfcore.hookimpl
def nfcore_commands(app):
    @app.command()
    def say() -> None:
        raise SystemExit("\x1b[31mred")
"""


@pytest.mark.slow
def test_a_plugin_that_forks_does_a_command_once_and_what_its_command_says_is_plain(tmp_path):
    source_folder(tmp_path, "forks-dist", "forks_plugin", FORKS.replace("\x1b", r"\x1b"))
    done = nfcore("--plugins-dir", tmp_path, "say", NFCORE_PLUGINS_ONLY="forks-dist")
    assert done.returncode == 1
    assert done.stderr == "nfcore: \\x1b[31mred\n"


@pytest.mark.slow
def test_a_plugin_neither_prints_at_exit_nor_keeps_the_process_from_ending(tmp_path):
    source_folder(tmp_path, "late-dist", "late_plugin", LATE)
    done = nfcore("--plugins-dir", tmp_path, "plugins", "list", "--json", NFCORE_PLUGINS_ONLY="late-dist")
    assert done.returncode == 0, done.stderr
    assert [component["name"] for component in json.loads(done.stdout)["components"]] == ["late"]
    assert "a thread that does not end" in done.stderr


ALONE = {
    "ends": "import os; os._exit(7)",
    "raises": "raise RecursionError('no end')",
    "fine": "import nfcore\n\n@nfcore.hookimpl\ndef nfcore_recipes():\n    return []",
}


@pytest.mark.slow
def test_each_plugin_alone_is_named_with_what_it_does_to_its_process(tmp_path, monkeypatch):
    folders = [
        source_folder(tmp_path / name, f"{name}-dist", f"{name}_plugin", code) for name, code in ALONE.items()
    ]
    found = [each for each in entry_points.discover(folders) if each.distribution.partition("-")[0] in ALONE]
    monkeypatch.setattr(processes, "discover", lambda _: found)
    problems = {source.distribution: problem for source, problem in processes.each_alone(folders)}
    assert "exit code 7" in problems["ends-dist"]
    assert "no end" in problems["raises-dist"]
    assert problems["fine-dist"] is None


def endless():
    while True:
        pass


def endless_commands(app):
    endless()


@pytest.mark.parametrize("hook", [{"nfcore_components": endless}, {"nfcore_commands": endless_commands}])
def test_a_plugin_that_does_not_return_is_named_then_broken(monkeypatch, capsys, hook):
    monkeypatch.setattr(watchdog, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(watchdog, "LONGEST_SECONDS", 0.5)
    manager = PluginManager([source(hooks(**hook), "endless-dist")])
    (plugin,) = manager.plugins
    manager.call(plugin, "nfcore_commands", app=None)
    assert "did not end" in plugin.problem
    assert "NFCORE_PLUGINS_DISABLE=endless-dist" in capsys.readouterr().err


def test_ctrl_c_skips_a_plugin_that_was_named(monkeypatch):
    monkeypatch.setattr(watchdog, "SLOW_SECONDS", 0.0)

    def nfcore_components():
        time.sleep(1)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    try:
        with signals.handled():
            (plugin,) = PluginManager([source(hooks(nfcore_components=nfcore_components))]).plugins
            assert not signals.received()
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Ctrl-C" in plugin.problem


def test_a_hook_of_a_run_that_takes_long_is_named_and_not_ended(monkeypatch, capsys):
    monkeypatch.setattr(watchdog, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(watchdog, "LONGEST_SECONDS", 0.2)

    def nfcore_step(stage):
        time.sleep(1)

    manager = PluginManager([source(hooks(nfcore_step=nfcore_step), "slow-dist")])
    assert manager.call(manager.plugins[0], "nfcore_step", stage="teach")
    assert "slow-dist" in capsys.readouterr().err
