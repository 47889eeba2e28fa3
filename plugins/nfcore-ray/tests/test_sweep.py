"""Sweeps with a real Ray on this machine: what fails or dies harms no other, and nothing is done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import pytest
from sweeping import distills, runs_of, small, start, wait_until

pytestmark = pytest.mark.slow

#: Follows the runs: what a worker has been given.
SPY = """
import json
import os
import nfcore

@nfcore.hookimpl
def nfcore_stage_started(run, stage):
    import torch
    seen = {"torch": torch.get_num_threads(), "omp": os.environ["OMP_NUM_THREADS"], "cwd": os.getcwd()}
    (run / f"seen-{stage}.json").write_text(json.dumps(seen))
"""
SPY_PROJECT = """
[project]
name = "spy"
version = "1"
[project.entry-points.nfcore]
spy = "spy"
"""


FILE = small(
    "retries = 1",
    "[[run]]",
    "name = 'killed'",
    "recipe = 'quickstart'",
    "[[run]]",
    "name = 'whole'",
    "recipe = 'quickstart'",
    "[[run]]",
    "name = 'wild'",
    "recipe = 'quickstart'",
    "set = ['distill.learning_rate=1e30']",
    "[[run]]",
    "name = 'mistaken'",
    "recipe = 'quickstart'",
    'set = [\'scene={name="blender", path="empty"}\']',
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder after a sweep of four runs: a killed one, a whole one, one that diverges, one without photos."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "empty").mkdir()
    package = folder / "spy" / "src" / "spy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SPY)
    (folder / "spy" / "pyproject.toml").write_text(SPY_PROJECT)
    runs = folder / "runs" / "many"
    process = start(folder, FILE, "--plugins-dir", "spy", "sweep", "many.toml")
    wait_until(lambda: distills(runs / "killed"), process)
    fitted = (runs / "killed" / "teacher.safetensors").stat().st_mtime_ns
    os.kill(json.loads((runs / ".sweep" / "killed.json").read_text())["pid"], signal.SIGKILL)
    out, err = process.communicate()
    return folder, subprocess.CompletedProcess(process.args, process.returncode, out, err), fitted


def test_a_run_whose_worker_is_killed_goes_on_and_ends_as_one_that_was_never_killed(swept):
    folder, done, fitted = swept
    killed, whole = (folder / "runs" / "many" / name for name in ("killed", "whole"))
    assert "killed: its worker died: " in done.stderr
    assert runs_of(folder)["killed"]["attempts"] == 2
    assert (killed / "teacher.safetensors").stat().st_mtime_ns == fitted  # it was not fitted again
    assert (killed / "student.safetensors").read_bytes() == (whole / "student.safetensors").read_bytes()


def test_a_run_that_fails_is_tried_again_and_stops_none(swept):
    folder, done, _ = swept
    runs = runs_of(folder)
    assert {name: run["state"] for name, run in runs.items()} == {
        "killed": "done",
        "whole": "done",
        "wild": "failed",
        "mistaken": "failed",
    }
    assert runs["wild"]["attempts"] == 2
    assert "learning_rate" in runs["wild"]["error"]
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("nfcore: ")]
    assert line.startswith("nfcore: 2 of 4 runs failed (wild, mistaken): ")


def test_a_mistake_is_not_tried_again(swept):
    run = runs_of(swept[0])["mistaken"]
    assert run["attempts"] == 1
    assert "empty" in run["error"]


def test_the_end_is_one_table_and_one_report_with_the_figures_of_the_runs(swept):
    folder, done, _ = swept
    runs = folder / "runs" / "many"
    summary = json.loads((runs / "whole" / "summary.json").read_text())
    assert runs_of(folder)["whole"]["figures"] == summary
    psnr = f"{summary['student.test.psnr']:.2f}"
    assert psnr in done.stdout
    report = (runs / "report.md").read_text()
    assert f"| [whole](whole/report.html) | done | {summary['teacher.test.psnr']:.2f} | {psnr} |" in report
    (line,) = [line for line in report.splitlines() if line.startswith("- wild (failed, 2 attempts): ")]
    assert "learning\\_rate" in line  # as Markdown


def test_a_worker_has_the_threads_the_folder_and_the_plugins_of_the_command(swept):
    folder, _, _ = swept
    seen = json.loads((folder / "runs" / "many" / "whole" / "seen-distill.json").read_text())
    assert seen == {"torch": 1, "omp": "1", "cwd": str(folder)}


def test_a_run_knows_the_command_and_the_sweep_file_that_it_comes_from(swept):
    folder, _, _ = swept
    known = json.loads((folder / "runs" / "many" / "killed" / "provenance.json").read_text())
    assert [command["line"] for command in known["commands"]] == ["nfcore --plugins-dir spy sweep many.toml"]
    assert known["sources"]["teach.steps"] == "sweep many.toml"
    assert known["sources"]["teacher.name"] == "recipe nfcore-guided/guided"


def test_what_is_finished_is_not_done_again_and_needs_no_ray(swept, tmp_path):
    folder, _, _ = swept
    good = FILE.partition("[[run]]\nname = 'wild'")[0]
    shutil.copytree(folder / "runs", tmp_path / "runs")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/many/*/*.safetensors")}
    log = tmp_path / "runs" / "many" / ".sweep" / "ray.log"
    log.write_text("of the first sweep")
    process = start(tmp_path, good, "sweep", "many.toml", "--json")
    out, err = process.communicate()
    assert process.returncode == 0, err
    data = json.loads(out)
    assert (data["done"], data["failed"]) == (2, 0)
    assert log.read_text() == "of the first sweep"
    assert {path: path.stat().st_mtime_ns for path in before} == before
