"""``nfcore export`` makes all that it can, says in a table what that is worth, and fails for what it could not."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
import tiny
import tiny_plugin
from installed import source_folder

from nfcore.exports.manifest import Manifest
from nfcore.plugin.manager import PluginManager

pytestmark = pytest.mark.slow


@pytest.fixture
def nfcore(command, tmp_path):
    """Run the command line with the tiny components."""
    source_folder(tmp_path / "plugins" / "tiny", "tiny-dist", "tiny_plugin_of_a_folder")

    def run(*arguments: str | Path):
        return command("--plugins-dir", tmp_path / "plugins", *arguments, "--quiet", cwd=tmp_path)

    return run


@pytest.fixture
def export(nfcore, tmp_path):
    """Export a student's file with the tiny exporter ``copy``, with further arguments."""
    tiny.student().save(tmp_path / "student.safetensors", PluginManager([tiny.source(tiny_plugin)]))
    return partial(nfcore, "export", "student.safetensors")


def test_an_export_is_told_in_one_table_with_size_parity_and_place(export, tmp_path):
    done = export("copy")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "student-exports" / "copy"
    size = Manifest.read(folder).bytes / 1e6
    for said in (
        "dB against torch",
        "dB against photos",
        f"{size:.2f} MB",
        "140.0",
        "a copy",
        "student-exports/copy",
    ):
        assert said in done.stdout


def test_figures_are_json_for_scripts(export):
    figures = json.loads(export("copy", "--json").stdout)
    assert figures["copy"]["psnr_vs_torch"] == 140.0
    assert figures["copy"]["verified_by"] == "a copy"


@pytest.mark.parametrize(("option", "psnr", "code"), [("--required-psnr", "39", 0), ("--floor", "41", 1)])
def test_the_required_psnr_is_an_option(export, tmp_path, option, psnr, code):
    done = export("copy", "--set", "error=0.01", option, psnr)
    assert done.returncode == code
    folder = tmp_path / "student-exports" / ("rejected" if code else "") / "copy"
    assert Manifest.read(folder).tolerance.psnr == float(psnr)
    assert ("differs from torch: 40.0 dB where at least 41.0 are required" in done.stderr) == bool(code)


def test_what_can_be_made_is_made_where_something_fails(export, tmp_path, monkeypatch):
    write = tiny.Copy.export

    def fails_for_one(self, student, folder):
        if folder.name == "first":
            raise RuntimeError("an op that nobody knows\nand more lines")
        return write(self, student, folder)

    monkeypatch.setattr(tiny.Copy, "export", fails_for_one)
    monkeypatch.setattr(
        "nfcore.config.resolve.choose_exports",
        lambda *arguments, **options: {label: tiny_choice() for label in ("first", "second")},
    )
    done = export()
    assert done.returncode == 1
    count, failed = done.stderr.splitlines()
    assert "1 of 2" in count
    assert failed.startswith("  first: ")
    assert "tiny-dist/copy" in failed
    assert "an op that nobody knows" in failed
    assert "student-exports/second" in done.stdout
    assert [path.name for path in (tmp_path / "student-exports").iterdir()] == ["second"]


def tiny_choice():
    from nfcore.config.schema import ExportChoice

    return ExportChoice(name="copy")


def test_what_a_run_was_asked_for_and_can_not_have_is_not_asked_for_again(nfcore, tmp_path, monkeypatch):
    assert nfcore("run", "tiny", "--export", "copy").returncode == 0
    before = (tmp_path / "runs/tiny/config.toml").read_text()
    write = tiny.Copy.export

    def fails_on_errors(self, student, folder):
        if self.options.error == 0.5:
            raise RuntimeError("an op that nobody knows")
        return write(self, student, folder)

    monkeypatch.setattr(tiny.Copy, "export", fails_on_errors)
    for named in (("copy", "--as", "second"), ("copy",)):
        failed = nfcore("export", "tiny", *named, "--set", "error=0.5")
        assert failed.returncode != 0
        assert "an op that nobody knows" in failed.stderr
        assert (tmp_path / "runs/tiny/config.toml").read_text() == before
        assert nfcore("export", "tiny").returncode == 0


def test_what_a_run_was_asked_for_and_is_kept_as_rejected_fails_until_it_holds(nfcore, tmp_path):
    assert nfcore("run", "tiny", "--export", "copy").returncode == 0
    second = ("copy", "--as", "second", "--set", "error=0.01")
    for named in (second, ()):
        assert nfcore("export", "tiny", *named).returncode == 1
        assert (tmp_path / "runs/tiny/exports/rejected/second").is_dir()
    assert nfcore("export", "tiny", *second, "--required-psnr", "39").returncode == 0


@pytest.mark.parametrize("psnr", ["0", "-3", "high"])
def test_a_required_psnr_that_is_none_is_a_mistake(export, psnr):
    done = export("copy", "--required-psnr", psnr)
    assert done.returncode == 2
    assert re.search("required.psnr", done.stderr)


def test_the_place_for_what_failed_is_no_name_for_an_export(export):
    done = export("copy", "--as", "rejected")
    assert done.returncode == 2
    assert "choose another" in done.stderr


def test_an_exporter_that_is_named_with_its_distribution_has_the_label_of_its_name(export, tmp_path):
    assert export("tiny-dist/copy").returncode == 0
    assert Manifest.read(tmp_path / "student-exports" / "copy").label == "copy"
