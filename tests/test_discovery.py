"""Plugins come from installed distributions and from folders of sources, as far as the environment lets them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tiny import source

from nfcore import UserError
from nfcore.plugin.entry_points import discover, in_folder
from nfcore.plugin.installed import _excluded_by
from nfcore.plugin.manager import PluginManager

SOURCES = [source(None, name) for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("environ", "left"),
    [
        ({}, "abc"),
        ({"NFCORE_PLUGINS_ONLY": "a, c"}, "ac"),
        ({"NFCORE_PLUGINS_DISABLE": "a,c,unknown"}, "b"),
        ({"NFCORE_PLUGINS_ONLY": "a,b", "NFCORE_PLUGINS_DISABLE": "b"}, "a"),
        ({"NFCORE_PLUGINS_ONLY": ""}, "abc"),
    ],
)
def test_the_environment_chooses_plugins_by_distribution(environ, left):
    assert [s.distribution for s in SOURCES if _excluded_by(s, environ) is None] == list(left)


PROJECT = """
[project]
name = "folder-dist"
version = "2.3"
[project.entry-points.nfcore]
folder = "{module}"
"""
PLUGIN = """
import nfcore

class Teacher: ...

@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("teacher", "from-folder", "{module}:Teacher", level=2)
"""


@pytest.fixture
def clean_imports(monkeypatch):
    monkeypatch.setattr("sys.path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("folder_plugin"):
            del sys.modules[name]


def write_plugin(folder: Path, module: str, src: str = "src") -> Path:
    (folder / src / module).mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT.format(module=module))
    (folder / src / module / "__init__.py").write_text(PLUGIN.format(module=module))
    return folder


@pytest.mark.usefixtures("clean_imports")
@pytest.mark.parametrize(("below", "src"), [("", "src"), ("", ""), ("mine", "src")])
def test_a_plugin_runs_from_its_folder_without_being_installed(tmp_path, below, src):
    module = f"folder_plugin_{below}_{src}"
    write_plugin(tmp_path / below, module, src)
    manager = PluginManager(in_folder(tmp_path))
    assert [str(p) for p in manager.plugins] == ["folder-dist 2.3"]
    assert manager.load("teacher", "from-folder").__name__ == "Teacher"


@pytest.mark.usefixtures("clean_imports")
def test_a_plugin_in_a_folder_hides_its_installed_version(tmp_path, monkeypatch):
    write_plugin(tmp_path, "folder_plugin_new")
    installed = [source(None, "folder-dist"), source(None, "other-dist")]
    monkeypatch.setattr("nfcore.plugin.entry_points.installed", lambda: iter(installed))
    assert [(s.distribution, s.version) for s in discover([tmp_path])] == [
        ("folder-dist", "2.3"),
        ("other-dist", "1.0"),
    ]


@pytest.mark.usefixtures("clean_imports")
def test_a_folder_may_hold_a_broken_plugin_beside_a_good_one(tmp_path):
    write_plugin(tmp_path / "good", "folder_plugin_good")
    bad = write_plugin(tmp_path / "bad", "folder_plugin_bad")
    (bad / "src" / "folder_plugin_bad" / "__init__.py").write_text("import no_such_module")
    manager = PluginManager(in_folder(tmp_path))
    assert [p.problem is None for p in manager.plugins] == [False, True]
    assert "no_such_module" in manager.plugins[0].problem


def test_a_folder_without_plugins_is_a_users_error(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match=r"--plugins-dir .*: no pyproject.toml with"):
            list(in_folder(folder))


def test_a_folder_with_a_damaged_project_names_the_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(UserError, match=r"pyproject.toml: not valid TOML"):
        list(in_folder(tmp_path))


def test_an_installed_plugin_is_known_by_distribution_and_entry_point():
    names = {found.name for found in discover()}
    assert {"nfcore-scenes:scenes", "nfcore-onnx:onnx"} <= names
