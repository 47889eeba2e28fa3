"""Distributions that pip installs, also in editable mode: what is declared, what is installed, what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import nfcore
from installed import QUICKLY, offering

pytestmark = pytest.mark.slow

TEACHER = "nfcore.interfaces.teacher:Teacher"


PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "throw-away"
version = "3.4"

[project.entry-points.nfcore]
away = "throw_away"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "src" / "throw_away").mkdir(parents=True)
    (folder / "src" / "throw_away" / "__init__.py").write_text("import a_package_of_nobody")
    return folder


def pip(*arguments: str | Path) -> None:
    offline = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *offline, *map(str, arguments)]
    subprocess.run(command, check=True, env=os.environ | {"PIP_NO_WARN_SCRIPT_LOCATION": "1"}, timeout=120)


def test_a_broken_distribution_that_pip_installed_is_named(project, tmp_path):
    pip("--target", tmp_path / "site", project)
    listed = json.loads(nfcore("plugins", "list", "--json", path=[tmp_path / "site"]).stdout)
    (row,) = listed["broken"]
    assert (row["distribution"], row["version"], row["entry_point"]) == ("throw-away", "3.4", "away")
    assert "a_package_of_nobody" in row["problem"]
    assert len(listed["components"]) > 5


@pytest.fixture(scope="module")
def editable(project, tmp_path_factory) -> list[Path]:
    """The project, installed with ``pip install -e``; its sources are on the path, as its .pth file says."""
    prefix = tmp_path_factory.mktemp("prefix")
    (project / "src" / "throw_away" / "__init__.py").write_text(offering("teacher", "away", TEACHER))
    pip("--prefix", prefix, "-e", project)
    (site,) = prefix.glob("lib/*/site-packages")
    return [site, project / "src"]


def test_an_editable_install_works_and_is_up_to_date(editable):
    listed = json.loads(nfcore("plugins", "list", "--json", path=editable).stdout)
    assert "away" in {c["name"] for c in listed["components"]}
    assert listed["broken"] == listed["out_of_date"] == []


def test_an_editable_install_that_declares_more_than_is_installed_is_named_when_the_new_name_is_asked_for(
    editable, project
):
    (project / "pyproject.toml").write_text(f'{PROJECT}more = "throw_away.more"\n')
    asked = nfcore("plugins", "info", "more-of-it", path=editable)
    assert asked.returncode == 2
    assert "throw-away 3.4 is out of date: installed with away = throw_away; " in asked.stderr
    assert f"pip install -e {project}" in asked.stderr


def test_an_editable_install_whose_module_was_renamed_is_broken_and_the_doctor_says_how_to_mend_it(
    editable, project
):
    (project / "pyproject.toml").write_text(PROJECT.replace("throw_away", "renamed"))
    (project / "src" / "throw_away").rename(project / "src" / "renamed")
    listed = json.loads(nfcore("plugins", "list", "--json", path=editable).stdout)
    (broken,), (stale,) = listed["broken"], listed["out_of_date"]
    assert broken["problem"] == "ModuleNotFoundError: No module named 'throw_away'"
    assert stale["problem"] == ("installed with away = throw_away; its pyproject.toml now declares away = renamed")
    examined = json.loads(nfcore("doctor", "--json", path=editable, **QUICKLY).stdout)
    hints = {f["check"]: f["hint"] for f in examined["checks"] if f["status"] == "broken"}
    assert hints["plugin throw-away:away 3.4"] == f"pip install -e {project}"
    assert hints["entry points of throw-away 3.4"] == f"pip install -e {project}"
