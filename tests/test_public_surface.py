"""The public surface changes only together with the changelog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from public_surface import surface

import nfcore

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
RELEASED = Path(__file__).with_name("public_surface.txt")
UNRELEASED = "unreleased"


def sections(changelog: str) -> dict[str, str]:
    """The text under each heading of the second level, ``[0.2.0] - unreleased`` or with a date, newest first."""
    parts = re.split(r"^## (.+)$", changelog, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def released() -> dict[str, str]:
    """The surface of the last release, and its version."""
    return dict(line.split(": ", 1) for line in RELEASED.read_text().splitlines())


def unsaid(old: dict[str, str], new: dict[str, str], changes: str) -> list[str]:
    """What was added, removed or changed without standing in ``changes`` between backticks.

    Members need not be named where their class or package is new or gone.
    """
    changed = {name for name in old | new if old.get(name) != new.get(name)}
    come_or_gone = old.keys() ^ new.keys()
    due = {name for name in changed if name.rpartition(".")[0] not in come_or_gone}
    return sorted(name for name in due if f"`{name}`" not in changes)


def test_every_change_of_the_public_surface_stands_in_the_changelog():
    old = released()
    old.pop("version")
    changes = "".join(text for heading, text in sections(CHANGELOG.read_text()).items() if UNRELEASED in heading)
    missing = unsaid(old, surface(), changes)
    assert not missing, f"CHANGELOG.md, unreleased, must say in backticks what became of: {', '.join(missing)}"


def test_the_surface_that_changes_are_measured_against_is_that_of_the_last_release():
    last = next(heading for heading in sections(CHANGELOG.read_text()) if UNRELEASED not in heading)
    assert last.startswith(f"[{released()['version']}] - ")


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ({"f": "(x)"}, {"f": "(x)"}, []),
        ({"f": "(x)"}, {"f": "(x, y)"}, ["f"]),
        ({}, {"f": "()"}, ["f"]),
        ({"f": "()"}, {}, ["f"]),
        ({"C": "class", "C.f": "()"}, {"C": "class", "C.f": "(x)"}, ["C.f"]),
        ({"C": "class"}, {"C": "class", "C.f": "(x)"}, ["C.f"]),
        ({}, {"C": "class", "C.f": "()"}, ["C"]),
        ({"nfcore.p.C": "class", "nfcore.p.C.f": "()"}, {}, ["nfcore.p.C"]),
        ({}, {"nfcore.p": "package", "nfcore.p.C": "class", "nfcore.p.C.f": "()"}, ["nfcore.p"]),
        ({"level of teacher": "1"}, {"level of teacher": "2"}, ["level of teacher"]),
    ],
)
def test_an_added_removed_or_changed_name_is_missed_until_it_is_said(old, new, missing):
    assert unsaid(old, new, "") == missing
    assert unsaid(old, new, " ".join(f"`{name}`" for name in missing)) == []


def test_the_surface_shows_what_callers_rely_on():
    shown = surface()
    assert {name.partition(".")[0] for name in shown} >= set(nfcore.__all__)
    assert shown["nfcore.geometry.look_at"].startswith("(")
    assert "cameras: 'Cameras', batch: 'int' = 4" in shown["LightField.render"]
    assert shown["Teacher.fit"].startswith("abstract (self, source")
    assert shown["LightField.scale"].startswith("property")
    assert shown["Cameras.poses"] == "Tensor"
    assert shown["nfcore_step"].startswith("hook (run: 'Path', stage: 'str', step: 'int'")
    assert not [name for name in shown if "._" in name]


def test_the_changelog_keeps_its_form():
    versions = sections(CHANGELOG.read_text())
    newest, *older = versions
    assert re.fullmatch(rf"\[\d+\.\d+\.\d+\] - (\d{{4}}-\d\d-\d\d|{UNRELEASED})", newest)
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in older)
    for heading, text in versions.items():
        kinds = re.findall(r"^### (.+)$", text, flags=re.MULTILINE)
        assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert len(kinds) == len(set(kinds)), f"{heading}: merge what has one kind"
