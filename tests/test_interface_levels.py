"""An interface's level rises when its signatures break, and plugins of another level are named unimported."""

from __future__ import annotations

import sys
from dataclasses import replace

import interface_signatures
import pytest
from interface_signatures import SNAPSHOT, UNRELEASED, Level, current, held, read, updated, written
from tiny import source

import nfcore
from nfcore import Component, PluginError
from nfcore.plugin.components import INTERFACE_LEVELS
from nfcore.plugin.manager import PluginManager

RELEASED = Level("teacher", 2, "since 0.2.0", ("abstract fit(self) -> None", "render(self) -> None"))


def test_no_signature_of_a_released_level_is_broken_and_the_snapshot_is_of_now():
    old = read(SNAPSHOT.read_text())
    assert held(old, current()) == []
    assert written(updated(old, current())) == SNAPSHOT.read_text(), "run python tests/interface_signatures.py"


@pytest.mark.parametrize(
    ("lines", "breaks"),
    [
        (RELEASED.lines, False),
        ((*RELEASED.lines, "field(self) -> None"), False),  # a plugin need not know of it
        ((*RELEASED.lines, "abstract field(self) -> None"), True),
        (RELEASED.lines[:1], True),
        (("abstract fit(self, steps) -> None", RELEASED.lines[1]), True),
    ],
    ids=["nothing", "an optional method", "a method to implement", "a method less", "an argument more"],
)
def test_a_level_has_to_rise_when_plugins_written_for_it_would_break(lines, breaks):
    changed = replace(RELEASED, since=UNRELEASED, lines=lines)
    assert held([RELEASED], [changed]) == (["teacher"] if breaks else [])
    assert held([RELEASED], [replace(changed, number=3)]) == []
    assert held([replace(RELEASED, since=UNRELEASED)], [changed]) == []
    assert held([RELEASED], [replace(changed, number=1)]) == ["teacher"]


def test_the_command_refuses_until_the_level_has_risen(tmp_path, monkeypatch):
    snapshot = tmp_path / "signatures.txt"
    before = written([RELEASED])
    snapshot.write_text(before)
    monkeypatch.setattr(interface_signatures, "SNAPSHOT", snapshot)
    with pytest.raises(SystemExit, match="raise the level of teacher"):
        interface_signatures.main()
    assert snapshot.read_text() == before

    monkeypatch.setitem(INTERFACE_LEVELS, "teacher", 3)
    interface_signatures.main("0.3.0")
    kept, *_ = (level for level in read(snapshot.read_text()) if level.kind == "teacher")
    assert kept == RELEASED
    assert {level.since for level in read(snapshot.read_text())} == {"since 0.2.0", "since 0.3.0"}


@pytest.mark.parametrize("kind", [kind for kind, level in INTERFACE_LEVELS.items() if level > 1])
def test_a_component_of_0_1_is_too_old_and_its_code_is_not_imported(kind, tmp_path, monkeypatch):
    """0.1 had level 1 of everything, which is what a component says that says nothing."""
    (tmp_path / "of_version_0_1.py").write_text("raise RuntimeError('imported')\nclass Old: ...\n")
    monkeypatch.syspath_prepend(tmp_path)

    class Plugin:
        @nfcore.hookimpl
        def nfcore_components(self):
            yield Component(kind, "old", "of_version_0_1:Old")

    manager = PluginManager([source(Plugin(), "old-dist")])
    ((plugin, component),) = manager.components()
    advice = f"level 1 of that interface; this nfcore has level {INTERFACE_LEVELS[kind]}: install a newer old-dist"
    assert advice in manager.problem(plugin, component)
    with pytest.raises(PluginError, match=f"{kind} 'old' of old-dist 1.0 .*{advice}"):
        manager.load(kind, "old")
    assert "of_version_0_1" not in sys.modules
