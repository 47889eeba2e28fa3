"""``nfcore plugins new`` writes all that a distribution needs, and refuses names that can't be had."""

from __future__ import annotations

import json
import tomllib

import pytest

from nfcore import Component, UserError
from nfcore.plugin.components import KINDS
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.scaffold import write_plugin


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_has_all_that_a_distribution_needs(tmp_path, kind):
    folder = write_plugin("some-fields", kind, tmp_path, PluginManager(())).folder
    package = "some_fields"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".gitignore",
        ".github/workflows/test.yml",
        f"src/{package}/__init__.py",
        f"src/{package}/{kind}.py",
        f"src/{package}/py.typed",
        f"tests/test_{kind}.py",
    } == files
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["nfcore"] == {"some-fields": package}
    assert "$" not in "".join(path.read_text() for path in folder.rglob("*.py"))
    assert "${{ matrix.python }}" in (folder / ".github/workflows/test.yml").read_text()


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("My_Plugin", "encoding", "lower case, words joined by dashes, such as my-encoding"),
        ("2fast", "encoding", "lower case"),
        ("../up", "encoding", "lower case"),
        ("class", "encoding", "'class'"),
        ("json", "encoding", "Python has a module 'json' already"),
        ("nfcore-onnx", "exporter", "nfcore-onnx 0.1.0 is installed already"),
        ("fresh", "encodign", "unknown kind 'encodign'; did you mean 'encoding'"),
        ("taken", "teacher", "some-dist 1.0 has a teacher 'taken' already"),
    ],
)
def test_a_name_that_can_not_be_had_is_refused_before_anything_is_written(tmp_path, name, kind, said):
    from test_manager import offering
    from tiny import source

    plugin = offering(Component("teacher", "taken", "tiny:Sky", level=2))
    with pytest.raises(UserError, match=said):
        write_plugin(name, kind, tmp_path / "out", PluginManager([source(plugin, "some-dist")]))
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "fresh").mkdir()
    with pytest.raises(UserError, match="fresh: exists already"):
        write_plugin("fresh", "encoding", tmp_path, PluginManager(()))
    assert not list((tmp_path / "fresh").iterdir())


def test_a_class_does_not_hide_what_the_templates_import(tmp_path):
    made = write_plugin("rays", "teacher", tmp_path, PluginManager(()))
    assert "class RaysTeacher(nfcore.Teacher)" in (made.folder / "src/rays/teacher.py").read_text()


def test_the_command_says_what_it_wrote_and_how_to_go_on(command, tmp_path):
    done = command("plugins", "new", "nfcore-fresh", "--kind", "upsampler", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nfcore --plugins-dir nfcore-fresh run quickstart --set student.upsampler=fresh" in done.stdout
    assert (tmp_path / "nfcore-fresh" / "src" / "nfcore_fresh" / "upsampler.py").is_file()
    again = command("plugins", "new", "nfcore-fresh", "--kind", "upsampler", cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    told = command("plugins", "new", "other", "--kind", "encoding", "--out", "here", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["component"] == "other"
