"""``nfcore doctor``: what is missing, out of range, shut out or in the way, each with what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from command_line import nfcore
from installed import install, offering

from nfcore import Publication, hookimpl
from nfcore.cli.doctor import Finding, _compared, _components, _disk, _requirements, _versions
from nfcore.plugin.imports import silent_processes
from nfcore.plugin.manager import PluginManager


@pytest.mark.slow
def test_a_sound_installation_exits_with_0(command, tmp_path):
    done = command("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith("Nothing is broken.")
    for line in ("ok       python: 3.", "ok       torch: ", "components: all ", "runs: ", "GiB free"):
        assert line in done.stdout


def test_what_a_distribution_needs_is_compared_with_what_is_there():
    present, wrong = _compared(
        [
            "pluggy>=1",
            "Typing_Extensions",
            "pydantic<1",
            "a-package-of-nobody>=2; python_version > '3'",
            "not-on-this-system; python_version < '3'",
            "not-by-default; extra == 'dev'",
            "no requirement at all",
        ]
    )
    assert [text.split()[0] for text in present] == ["pluggy", "Typing_Extensions"]
    (old, install_old), (missing, install_missing), (damaged, _) = wrong
    assert old.startswith("pydantic 2.")
    assert old.endswith(" is out of range (<1)")
    assert install_old == "pydantic<1"
    assert (missing, install_missing) == ("a-package-of-nobody is missing", "a-package-of-nobody>=2")
    assert damaged.startswith("its metadata is damaged: ")


def test_a_plugin_that_runs_from_source_has_no_requirements_to_compare():
    assert [finding.status for finding in _requirements({"never-installed"})] == ["note"]


def test_a_distribution_in_two_versions_is_a_warning_with_both_and_their_places(tmp_path, monkeypatch):
    for version in ("1.0", "2.0"):
        information = tmp_path / version / f"doubled-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: doubled\nVersion: {version}\n")
        monkeypatch.syspath_prepend(tmp_path / version)
    (found,) = _versions({"doubled", "pluggy"})
    assert (found.check, found.status) == ("versions of doubled", "warning")
    assert all(f"{version} in {tmp_path / version}" in found.text for version in ("1.0", "2.0"))


def test_a_folder_for_runs_that_can_not_be_written_is_broken(tmp_path):
    (tmp_path / "file").touch()
    found = {finding.check: finding for finding in _disk(tmp_path / "file" / "runs")}
    assert found["runs"].status == "broken"
    assert str(tmp_path / "file") in found["runs"].text
    assert "--runs" in found["runs"].hint


def test_a_full_disk_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1 << 20}))
    (disk,) = [finding for finding in _disk(tmp_path) if finding.check == "disk"]
    assert (disk.status, disk.text) == ("warning", f"0.0 GiB free at {tmp_path}")


@pytest.fixture(scope="module")
def examined(tmp_path_factory) -> list[Finding]:
    """What is found of a plugin whose class needs a package of nobody, with a variable that names nobody."""
    root = tmp_path_factory.mktemp("site")
    source = offering("teacher", "needy", "needy_body:Teacher")
    site = install(root, "needy", source)
    (site / "needy_body.py").write_text("import a_package_of_nobody\nclass Teacher: ...\n")
    install(root, "deadly", offering("backbone", "deadly", "deadly_body:Backbone"))
    (site / "deadly_body.py").write_text("import os\nos._exit(3)\nclass Backbone: ...\n")
    metadata: Path = next(site.glob("needy*.dist-info")) / "METADATA"
    metadata.write_text(metadata.read_text().replace("\n\n", "\nRequires-Dist: a-package-of-nobody>=2\n\n", 1))
    done = nfcore(
        "doctor",
        "--json",
        path=[site],
        NFCORE_PLUGINS_ONLY="needy,deadly,nfcore-scenes,nobody",
        NFCORE_PLUGINS_DISABLE="NFCORE_scenes",
    )
    assert done.returncode == 1, done.stderr
    return [Finding(**check) for check in json.loads(done.stdout)["checks"]]


@pytest.mark.slow
def test_a_class_that_can_not_be_imported_is_found_though_a_listing_does_not_see_it(examined):
    (found,) = [f for f in examined if f.check == "teacher needy of needy 1.2"]
    assert found.status == "broken"
    assert "No module named 'a_package_of_nobody'" in found.text
    assert "pip install --upgrade needy" in found.hint


@pytest.mark.slow
def test_a_class_whose_import_ends_the_process_costs_only_its_own_plugin(examined):
    broken = {f.check: f.text for f in examined if f.status == "broken" and " of " in f.check}
    assert "ends the process" in broken["backbone deadly of deadly 1.2"]
    assert "a_package_of_nobody" in broken["teacher needy of needy 1.2"]
    assert [f.status for f in examined if f.check == "torch"] == ["ok"]


@pytest.mark.slow
def test_a_requirement_that_is_missing_is_found_with_how_to_install_it(examined):
    (found,) = [f for f in examined if f.check == "needs of needy 1.2" and f.status == "broken"]
    assert found.text == "a-package-of-nobody is missing"
    assert found.hint == "pip install 'a-package-of-nobody>=2'"


@pytest.mark.slow
def test_plugins_that_are_shut_out_are_noted_with_the_variable(examined):
    notes = {f.check: f.text for f in examined if f.status == "note"}
    assert notes["plugin nfcore-scenes:scenes 0.1.0"] == "disabled by NFCORE_PLUGINS_DISABLE"
    assert notes["plugin nfcore-onnx:onnx 0.1.0"] == "disabled by NFCORE_PLUGINS_ONLY"


@pytest.mark.slow
def test_a_variable_that_names_nobody_is_a_warning(examined):
    assert [(f.check, f.text) for f in examined if f.status == "warning"] == [
        ("NFCORE_PLUGINS_ONLY", "names 'nobody', which is not installed")
    ]


def test_a_publication_that_can_not_be_read_is_found(tmp_path):
    class Plugin:
        @staticmethod
        @hookimpl
        def nfcore_publications():
            yield Publication("leaflet", tmp_path / "lost.toml")

    with silent_processes() as processes:
        (found, _) = _components(PluginManager([tiny.source(Plugin, "leaflet-dist")]), processes)
    assert (found.check, found.status) == ("publication leaflet of leaflet-dist 1.0", "broken")
    assert "lost.toml: no such file" in found.text
