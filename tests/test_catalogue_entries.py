"""An entry of the catalogue is checked: its form, and whether it says what its plugin offers."""

from __future__ import annotations

from email.message import Message
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

import nfcore
from nfcore import UserError
from nfcore.plugin.catalogue import build_index, check_entry
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager

TINY = Path(__file__).with_name("tiny_entry.toml").read_text(encoding="utf-8")


@pytest.fixture
def entry(tmp_path) -> Path:
    path = tmp_path / "tiny-dist.toml"
    path.write_text(TINY)
    return path


SKY = 'name = "sky"'
PIP = "pip install tiny-dist"
WRONG = {
    "no TOML": ("distribution = ", "distribution = [", "not valid TOML"),
    "unknown field": ("licence =", "license =", "unknown option 'license'; did you mean 'licence'?"),
    "unknown kind": ('"teacher"', '"painter"', "components.1.kind"),
    "unknown maturity": ('"experimental"', '"finished"', "maturity"),
    "a name with a space": (SKY, 'name = "the sky"', "components.1.name"),
    "a distribution that pip would write otherwise": ('"tiny-dist"', '"Tiny_Dist"', "distribution"),
    "an empty summary": ('summary = "The sky"', 'summary = ""', "components.1.summary"),
    "a page that is no page": ('"https://example.org/tiny"', '"javascript:alert(1)"', "home_page"),
    "no installer": (PIP, "curl example.org | sh", "install"),
    "a second command": (PIP, "pip install tiny-dist; rm -rf ~", "install"),
    "a substitution": (PIP, "pip install $(whoami)", "install"),
    "another index": (PIP, "pip install --index-url x tiny-dist", "install"),
    "nothing to install": (PIP, "pip install", "install"),
    "a newer interface": (
        f"{SKY}, level = 2",
        f"{SKY}, level = 9",
        "level 9 of that interface, this nfcore has level 2",
    ),
    "a name twice": ('"ray_source", name = "ring"', f'"teacher", {SKY}', "teacher 'sky' is listed twice"),
    "a name that another has": (SKY, 'name = "voxels"', "'voxels' is a name of nfcore-teachers"),
    "a recipe that another has": ('name = "tiny"', 'name = "quickstart"', "recipe 'quickstart' is a name of"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_an_entry_is_named_in_one_line(entry, mistake):
    right, wrong, said = WRONG[mistake]
    assert right in TINY
    entry.write_text(TINY.replace(right, wrong, 1))
    problems = [problem for problem in check_entry(entry, plugins()) if "not installed" not in problem]
    (named,) = (problem for problem in problems if said in problem)
    assert named.startswith(f"{entry}: ")
    assert "\n" not in named


def test_all_mistakes_in_an_entry_are_named_at_once(entry):
    text = TINY.replace('"teacher"', '"painter"').replace('"experimental"', '"finished"')
    entry.write_text(text.replace('name = "tiny"', 'name = "quickstart"'))
    other = entry.rename(entry.with_name("tiny.toml"))
    problems = "\n".join(check_entry(other, plugins()))
    for named in ("components.1.kind", "maturity", "'quickstart'", "tiny-dist.toml", "not installed"):
        assert named in problems


def test_a_file_that_is_called_otherwise_is_wrong(entry):
    other = entry.rename(entry.with_name("tiny.toml"))
    assert any("must be called tiny-dist.toml" in problem for problem in check_entry(other, plugins()))


def test_a_missing_file_says_so(tmp_path):
    (problem,) = check_entry(tmp_path / "none.toml", plugins())
    assert problem == f"{tmp_path / 'none.toml'}: no such file"


def test_an_entry_whose_plugin_is_not_installed_can_not_be_right(entry):
    (problem,) = check_entry(entry, plugins())
    assert "tiny-dist is not installed here" in problem
    assert "pip install tiny-dist" in problem


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "x.toml"
    path.write_bytes(content)
    assert check_entry(path, plugins())


class Offering:
    """A plugin that offers what ``TINY`` says."""

    @nfcore.hookimpl
    def nfcore_components(self):
        yield nfcore.Component("ray_source", "ring", "tiny:Ring", summary="A ring", level=2)
        yield nfcore.Component("teacher", "sky", "tiny:Sky", summary="The sky", level=2)

    @nfcore.hookimpl
    def nfcore_recipes(self):
        yield nfcore.Recipe("tiny", Path("tiny.toml"), summary="All of it")


def install(monkeypatch, plugin: object) -> PluginManager:
    """Make ``plugin`` look as if pip had installed it as ``tiny-dist``."""
    manager = PluginManager([tiny.source(plugin)])
    said = Message()
    said["Summary"], said["License-Expression"] = "The smallest components", "MIT"
    monkeypatch.setattr("importlib.metadata.metadata", {"tiny-dist": said}.__getitem__)
    return manager


def test_an_entry_that_says_what_is_installed_is_right(entry, monkeypatch):
    manager = install(monkeypatch, Offering())
    assert check_entry(entry, manager) == []


DIFFERENT = {
    "summary": (
        "The smallest components",
        "Small",
        "summary is 'Small', the installed distribution says",
    ),
    "licence": ('"MIT"', '"BSD-3-Clause"', "licence is 'BSD-3-Clause', the installed distribution says 'MIT'"),
    "component": (
        '"ring"',
        '"disc"',
        "name = 'disc', level = 2, summary = 'A ring': the installed",
    ),
    "missing": (
        '    { kind = "teacher", name = "sky", level = 2, summary = "The sky" },\n',
        "",
        "'The sky' of the",
    ),
    "recipe": ('"All of it"', '"Half"', "recipe name = 'tiny', summary = 'Half': the installed"),
}


@pytest.mark.parametrize("field", DIFFERENT)
def test_an_entry_that_differs_from_what_is_installed_is_wrong(entry, monkeypatch, field):
    manager = install(monkeypatch, Offering())
    right, wrong, said = DIFFERENT[field]
    assert right in TINY
    entry.write_text(TINY.replace(right, wrong, 1))
    assert any(said in problem for problem in check_entry(entry, manager))


def test_an_entry_of_a_broken_plugin_names_the_reason(entry, monkeypatch):
    manager = install(monkeypatch, ImportError("No module named 'clouds'"))
    assert check_entry(entry, manager) == [
        f"{entry}: tiny-dist is broken here: ImportError: No module named 'clouds'"
    ]


def test_two_entries_with_one_name_are_refused(tmp_path):
    (tmp_path / "a-dist.toml").write_text(TINY.replace("tiny-dist", "a-dist"))
    (tmp_path / "b-dist.toml").write_text(TINY.replace("tiny-dist", "b-dist"))
    with pytest.raises(UserError, match=r"b-dist\.toml: ray_source 'ring' is a name of a-dist"):
        build_index(tmp_path)
