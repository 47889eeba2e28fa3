"""A class that a component names is missed without its module being imported, and never by mistake."""

from __future__ import annotations

import sys

import pytest

from nfcore.plugin.class_lookup import missing

MODULES = {
    "plain": "class Teacher: ...\nraise SystemExit('imported')",
    "indented": "if True:\n    class Teacher: ...",
    "assigned": "Teacher = type('Teacher', (), {})",
    "imported": "from elsewhere import (\n    Other,\n    Someone as Teacher,\n)",
    "starred": "from elsewhere import *",
    "lazy": "def __getattr__(name): ...",
    "dynamic": "globals()['Teacher'] = object",
    "nested": "class Teacher:\n    class Inner: ...",
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into a package; nothing of it may be imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        (tmp_path / "referred").mkdir()
        (tmp_path / "referred" / "__init__.py").write_text("raise SystemExit('imported')")
        (tmp_path / "referred" / "body.py").write_text(source)
        return "referred.body"

    yield write
    assert not [name for name in sys.modules if name.startswith("referred")]


@pytest.mark.parametrize("source", MODULES.values(), ids=MODULES)
def test_a_class_that_may_be_there_is_not_missed(module, source):
    assert missing(f"{module(source)}:Teacher") is None


def test_an_inner_class_is_looked_for_by_its_outer_one(module):
    assert missing(f"{module(MODULES['nested'])}:Teacher.Inner") is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("class Techer: ...", "AttributeError: referred.body has no 'Teacher'; did you mean 'Techer'?"),
        ("# class Teacher", "AttributeError: referred.body has no 'Teacher'; there is none"),
        ("class Teachers: ...", "AttributeError: referred.body has no 'Teacher'; did you mean 'Teachers'?"),
        ("def broken(:", "SyntaxError: invalid syntax"),
    ],
)
def test_a_class_that_is_not_there_is_missed_with_the_nearest(module, source, reason):
    assert str(missing(f"{module(source)}:Teacher")).startswith(reason)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nobodys.body:X", "ModuleNotFoundError: No module named 'nobodys'"),
        ("referred.head:X", "ModuleNotFoundError: No module named 'referred.head'"),
        ("referred.body.more:X", "'referred.body' is not a package"),
    ],
)
def test_a_module_that_is_not_there_is_missed(module, target, reason):
    module("")
    assert reason in str(missing(target))


def test_what_has_no_source_may_hold_anything():
    assert missing("math:Teacher") is None
    assert missing("sys:Teacher") is None
