"""``nfcore bench`` and ``nfcore shrink`` on a run, from the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from installed import source_folder
from tiny_sizes import CODES, STUDENT

pytestmark = pytest.mark.slow

PLUGIN = """
import tiny_plugin
import nfcore
from tiny_plugin import nfcore_recipes

@nfcore.hookimpl
def nfcore_components():
    yield from tiny_plugin.nfcore_components()
    yield nfcore.Component("exporter", "packed", "tiny_sizes:Packed", level=2)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """Where the run that the tests copy lies once one of them has made it."""
    return {"plugins": tmp_path_factory.mktemp("plugins"), "runs": tmp_path_factory.mktemp("runs")}


@pytest.fixture
def nfcore(command, made, monkeypatch, tmp_path):
    """Run the command line with the tiny components and the exporter of ``tiny_sizes``, beside a finished run."""
    source_folder(made["plugins"] / "own", "own-dist", "plugin_sizes", PLUGIN)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    monkeypatch.setenv("NFCORE_PLUGINS_ONLY", "own-dist")
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)

    def run(*arguments: str | Path):
        return command("--plugins-dir", made["plugins"], *arguments, cwd=tmp_path)

    if not (made["runs"] / "tiny").exists():
        made_now = run(
            *("run", "tiny", "--runs", made["runs"], "--quiet", "--export", "packed,elsewhere"),
            *("--set", "student.backbone.width=32", "--set", "distill.steps=60"),
        )
        assert made_now.returncode == 0, made_now.stderr
    shutil.copytree(made["runs"] / "tiny", tmp_path / "runs" / "tiny")
    return run


def test_bench_shows_torch_and_the_exports_and_keeps_figures_and_a_plot(nfcore, tmp_path):
    done = nfcore("bench", "tiny", "--seconds", "0.01", "--threads", "1", "-q")
    assert done.returncode == 0, done.stderr
    assert "packed" in done.stdout
    assert "it takes a telephone" in done.stdout
    kept = json.loads((tmp_path / "runs" / "tiny" / "bench.json").read_text())
    rows = {row["label"]: row for row in kept["rows"]}
    assert list(rows) == ["torch", "packed", "elsewhere"]
    assert rows["torch"]["memory"] > 0
    assert rows["packed"]["memory"] > 0
    assert "milliseconds" not in rows["elsewhere"]
    assert rows["packed"]["psnr"] == pytest.approx(rows["torch"]["psnr"], abs=0.05)
    assert (tmp_path / "runs" / "tiny" / "bench.png").is_file()


def test_bench_measures_the_exports_that_are_named(nfcore):
    done = nfcore("bench", "tiny", "packed", "--seconds", "0.01", "--threads", "1", "--no-memory", "--json", "-q")
    rows = json.loads(done.stdout)["rows"]
    assert [row["label"] for row in rows] == ["torch", "packed"]
    assert all("memory" not in row for row in rows)


def test_bench_of_an_export_that_there_is_not_is_a_users_error(nfcore):
    done = nfcore("bench", "tiny", "packet")
    assert done.returncode == 2
    assert "did you mean 'packed'?" in done.stderr


def _delivered(folder):
    return sum((folder / name).stat().st_size for name in (CODES, STUDENT))


def test_shrink_keeps_the_smallest_package_that_loses_next_to_nothing(nfcore, tmp_path):
    done = nfcore("shrink", "tiny", "--exporter", "packed", "-q", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    run = tmp_path / "runs" / "tiny"
    assert said == json.loads((run / "shrink.json").read_text())
    chosen = said["packages"][said["chosen"]["package"]]
    assert said["chosen"]["export"] == "packed-small"
    assert chosen["loss"] <= 0.05
    assert chosen["bytes"] == _delivered(run / "exports" / "packed-small")
    assert chosen["bytes"] < _delivered(run / "exports" / "packed")
    within = [one for one in said["packages"] if one["loss"] <= 0.05 and "refused" not in one]
    assert chosen["bytes"] == min(one["bytes"] for one in within)
    assert (run / "shrink.png").is_file()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["export.packed-small.psnr_vs_torch"] > 1
    again = nfcore("export", "tiny", "packed-small", "--again", "-q", "--json")
    assert again.returncode == 0, again.stderr
    assert _delivered(run / "exports" / "packed-small") == chosen["bytes"]


def test_shrink_compares_with_photos_that_are_neither_trained_on_nor_the_test_views(nfcore, monkeypatch):
    """The scene has 8 photos to train on and no validation views: the first of them is kept out."""
    compared = []
    from nfcore.shrinking import quality

    made = quality.photo_reference
    monkeypatch.setattr(
        quality,
        "photo_reference",
        lambda model, photos, count: compared.append(photos.names) or made(model, photos, count),
    )
    done = nfcore("shrink", "tiny", "--exporter", "packed", "-q", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert compared == [("train0",), ("test0", "test1")]
    assert "on validation images" in done.stdout


def test_shrink_is_of_the_student_or_of_the_teacher_not_of_both(nfcore):
    done = nfcore("shrink", "tiny", "--exporter", "packed,bake", "-q")
    assert done.returncode == 2
    assert "packed takes the student" in done.stderr
    assert "bake takes the teacher" in done.stderr


def test_shrink_chooses_among_the_exporters_of_the_student_where_the_teacher_is_exported_too(nfcore, tmp_path):
    run = tmp_path / "runs" / "tiny"
    config = run / "config.toml"
    config.write_text(config.read_text() + '\n[export.page]\nname = "bake"\n')
    done = nfcore("shrink", "tiny", "-q", "--threads", "1")
    assert done.returncode == 0, done.stderr
    (small,) = (run / "exports").glob("*-small")
    assert small.name in ("packed-small", "copy-small")


def test_shrink_that_finds_nothing_shows_what_there_was_and_fails(nfcore, tmp_path):
    done = nfcore("shrink", "tiny", "--exporter", "packed", "--max-size", "10B", "-q", "--threads", "1")
    assert done.returncode == 1
    assert "16 bits" in done.stdout
    assert "no package loses at most 0.05 dB and has at most 1e-05 MB" in done.stderr
    assert not (tmp_path / "runs" / "tiny" / "exports" / "packed-small").exists()
    assert "chosen" not in json.loads((tmp_path / "runs" / "tiny" / "shrink.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-size", "small"], "a size such as 3.4MB"),
        (["--max-latency", "3 parsecs"], "unit must be one of us, ms, s"),
        (["--exporter", "parcel"], "unknown exporter 'parcel'"),
        (["--exporter", "packed", "--set", "colour=3"], "unknown option 'colour'"),
        (["--set", "colour"], "write it as key=value"),
    ],
)
def test_a_mistake_in_what_is_asked_of_shrink_is_answered_in_a_line(nfcore, arguments, said):
    done = nfcore("shrink", "tiny", "-q", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_an_export_that_fails_beside_does_not_keep_the_small_one_from_being_made(nfcore, tmp_path):
    """Only what was chosen is made: what else the run may lack is not shrink's business."""
    config = tmp_path / "runs" / "tiny" / "config.toml"
    config.write_text(config.read_text() + '\n[export.wrong]\nname = "copy"\nerror = 0.5\n')
    done = nfcore("shrink", "tiny", "--exporter", "packed", "-q", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "tiny" / "exports" / "packed-small").is_dir()
    assert not (tmp_path / "runs" / "tiny" / "exports" / "rejected").exists()
