"""What all distributions share, and what is in the files that are released."""

from __future__ import annotations

import os
import re
import zipfile

import pytest

from release.building import build, released_index, with_addresses
from release.checks import read_wheel, sdist_names
from release.projects import CORE, ROOT, projects, version

PROJECTS = projects()
BY_NAME = {project.name: project for project in PROJECTS}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_distribution_has_the_version_licence_and_addresses_of_all(name):
    project = BY_NAME[name]
    metadata = project.metadata
    assert metadata.get("version", version()) == version()
    assert metadata["license"] == "MIT"
    assert (project.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "LICENSE" in metadata["license-files"]
    assert metadata["urls"] == BY_NAME[CORE].metadata["urls"]
    assert metadata["requires-python"] == BY_NAME[CORE].metadata["requires-python"]
    major, minor, *_ = version().split(".")
    for needed in metadata["dependencies"]:
        if re.match(r"(neural-field-core|nfcore-)", needed):
            assert needed.endswith(f">={major}.{minor},<{major}.{int(minor) + 1}"), needed


def test_each_plugin_is_installed_by_exactly_one_extra_of_the_core_and_by_all():
    extras = BY_NAME[CORE].metadata["optional-dependencies"]
    named = [re.match(r"[\w-]+", needed)[0] for extra in extras.values() for needed in extra]
    assert sorted(name for name in named if name.startswith("nfcore-")) == sorted(BY_NAME.keys() - {CORE})
    (everything,) = extras["all"]
    chosen = re.search(r"\[(.+)\]", everything)[1].split(",")
    assert set(chosen) >= {name for name, needed in extras.items() if any("nfcore-" in n for n in needed)}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_readme_links_to_what_exists_and_is_released_with_addresses(name):
    folder = BY_NAME[name].folder
    text = (folder / "README.md").read_text()
    for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text):
        assert (folder / link).exists(), link
    released = with_addresses(text, folder.relative_to(ROOT).as_posix())
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", released) == []


def test_the_released_catalogue_says_how_to_install_without_a_clone():
    released = released_index((ROOT / "registry/index.json").read_text())
    assert '"pip install nfcore-web"' in released
    assert "./plugins" not in released


@pytest.mark.slow
def test_a_wheel_with_a_browser_runtime_is_built_from_its_sdist_without_npm(tmp_path, monkeypatch):
    folder = BY_NAME["nfcore-web"].folder
    if not (folder / "src/nfcore_web/runtime/prepared.json").is_file():
        pytest.skip("nfcore-web was installed without its browser runtime")
    (tmp_path / "npm").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    sdist, wheel = build(BY_NAME["nfcore-web"], tmp_path / "dist")
    assert sdist_names(sdist) >= {"package.json", "package-lock.json", "LICENSE", "src/nfcore_web/runtime/ort.mjs"}
    with zipfile.ZipFile(wheel) as held:
        assert {"nfcore_web/runtime/ort.wasm.xz", "nfcore_web/THIRD_PARTY_NOTICES.txt"} <= set(held.namelist())
    metadata, licences = read_wheel(wheel)
    assert metadata["Requires-Dist"]
    assert any("Microsoft" in text for text in licences)


def test_the_command_line_says_its_version(command, tmp_path):
    assert command("--version", cwd=tmp_path).stdout == f"nfcore {version()}\n"
