"""A plugin costs nobody but its own user anything: what it yields is copied, what it changes is restored."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path, PosixPath

import pytest
import torch
from plugins_in_memory import hooks, offering
from tiny import source

from nfcore import Component, Recipe
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


def test_what_a_plugin_changes_for_the_process_is_restored(tmp_path, capfd):
    folder, handler = Path.cwd(), signal.getsignal(signal.SIGINT)
    with guarded():
        os.chdir(tmp_path)
        torch.set_default_dtype(torch.float64)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.setrecursionlimit(5000)
        sys.__stdout__.write("printed")
        os.write(1, b"written")
    assert Path.cwd() == folder
    assert torch.get_default_dtype() is torch.float32
    assert signal.getsignal(signal.SIGINT) is handler
    out, error = capfd.readouterr()
    assert out == ""
    assert "written" in error


def test_a_plugins_own_interrupt_is_its_fault():
    def nfcore_components():
        raise KeyboardInterrupt

    with signals.handled():
        (plugin,) = PluginManager([source(hooks(nfcore_components=nfcore_components))]).plugins
    assert plugin.problem.startswith("KeyboardInterrupt")


def test_text_is_neither_an_escape_sequence_nor_markup():
    assert plain("a\x1b[31m\u202eb\ud800") == r"a\x1b[31m\u202eb\ud800"
    assert markdown("<img>|`x`") == r"\<img\>\|\`x\`"


def test_a_run_is_locked_once_and_again_by_its_own_process(tmp_path):
    notes = []
    with locked(tmp_path, notes.append), locked(tmp_path, notes.append):
        assert str(os.getpid()) in (tmp_path / "state" / "run.lock").read_text()
    assert not notes
