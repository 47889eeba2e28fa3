"""A pipeline without a student: it teaches, evaluates and renders, and all that reads a run copes with that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny
from installed import source_folder

from nfcore import UserError
from nfcore.config import PipelineConfig, configure
from nfcore.config.stages import stages_of
from nfcore.exports.manifest import Manifest
from nfcore.plugin.manager import PluginManager
from nfcore.runs import execute

pytestmark = pytest.mark.slow  # trains and measures students

FIELD = """
summary = "The teacher alone"
image_size = 16
scene = "ring"
teacher = { name = "sky", gain = 1.0 }
teach.steps = 3
export.baked = "bake"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the recipe and, under ``plugins``, what it takes."""
    folder = tmp_path_factory.mktemp("field")
    (folder / "field.toml").write_text(FIELD)
    source_folder(folder / "plugins" / "tiny", "tiny-dist", "tiny_in_a_folder")
    return folder


@pytest.fixture(scope="module")
def field_config(folder) -> PipelineConfig:
    return configure(str(folder / "field.toml"), tiny.manager())


@pytest.fixture(scope="module")
def ran(folder, field_config) -> Path:
    """A finished run."""
    execute(folder / "runs" / "field", field_config, components=tiny.manager())
    return folder / "runs" / "field"


@pytest.fixture
def nfcore(command, folder):
    """Run a command that has the tiny components, in the folder of the run."""
    return lambda *arguments: command("--plugins-dir", "plugins", *arguments, cwd=folder)


def test_its_stages_follow_from_its_configuration(field_config, config):
    assert stages_of(field_config) == ("teach", "evaluate", "render", "export")
    assert stages_of(config) == ("teach", "distill", "finetune", "evaluate", "render", "export")


def test_a_run_leaves_the_teachers_figures_and_none_of_a_student(ran):
    summary = json.loads((ran / "summary.json").read_text())
    assert summary["teacher.test.psnr"] > 50
    assert summary["export.baked.psnr_vs_torch"] > 80
    assert not [key for key in summary if "student" in key or "distill" in key or "finetune" in key]
    assert (ran / "previews" / "comparison.png").stat().st_size > 0
    assert (ran / "previews" / "orbit.mp4").stat().st_size > 0
    assert not (ran / "student.safetensors").exists()


def test_its_report_shows_the_teacher_alone(ran):
    page = (ran / "report.html").read_text()
    assert "Teacher PSNR" in page
    assert "Student PSNR" not in page
    assert 'data-shows="teacher"' in page
    assert 'data-shows="student"' not in page
    assert 'title="distill' not in page  # the stages


def test_a_finished_run_resumes_with_nothing_to_do(ran, field_config, monkeypatch):
    monkeypatch.setattr(tiny.Sky, "fit", lambda *_: pytest.fail("the teacher is finished"))
    execute(ran, field_config, resume=True, components=tiny.manager())


def test_its_table_has_the_teacher_alone_and_its_picture_is_named(nfcore):
    done = nfcore("run", "field.toml", "--name", "shown", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "picture (teacher, truth)" in done.stdout
    assert "student" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("distill", "field"), ("no student", "teach, evaluate, render")),
        (("finetune", "field"), ("no student", "teach, evaluate, render")),
        (("render", "field", "--from", "student"), ("no student",)),
        (("export", "field", "copy"), ("export.copy", "takes a student")),
        (("shrink", "field", "--exporter", "copy"), ("no student",)),
        (("run", "field.toml", "--export", "copy", "--name", "other"), ("export.copy", "takes a student")),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else "",
)
def test_what_needs_a_student_is_refused_in_one_line(nfcore, ran, arguments, named):
    before = (ran / "config.toml").read_bytes()
    done = nfcore(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(part in done.stderr for part in named), done.stderr
    assert (ran / "config.toml").read_bytes() == before


def test_rendering_shows_the_teacher_by_default(nfcore, ran):
    done = nfcore("render", "field", "--path", "test", "--still", "0")
    assert done.returncode == 0, done.stderr
    assert (ran / "renders" / "test-teacher-0.png").is_file()


def test_its_exports_are_benched_and_runs_are_compared(nfcore, ran, monkeypatch):
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)
    done = nfcore("bench", "field", "--seconds", "0.01", "--no-memory", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert "baked" in {row["label"] for row in json.loads(done.stdout)["rows"]}
    done = nfcore("compare", "field", "field", "--paper")
    assert done.returncode == 0, done.stderr


def test_a_bench_without_exports_measures_the_teacher(nfcore, ran, folder, monkeypatch):
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)
    bare = shutil.copytree(ran, folder / "runs" / "bare")
    config = (bare / "config.toml").read_text()
    (bare / "config.toml").write_text(config.partition("[export.")[0])
    done = nfcore("bench", "bare", "--seconds", "0.01", "--no-memory", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["label"] for row in json.loads(done.stdout)["rows"]] == ["teacher in torch"]


def test_its_teachers_file_is_enough_to_render_and_export(nfcore, ran, folder, tmp_path):
    """Neither the run nor its photos are there."""
    file = tmp_path / "sky.safetensors"
    shutil.copy(ran / "teacher.safetensors", file)
    done = nfcore("render", file, "--path", "reference", "--still", "0")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sky-renders" / "reference-teacher-0.png").is_file()
    done = nfcore("export", file, "bake")
    assert done.returncode == 0, done.stderr
    assert Manifest.read(tmp_path / "sky-exports" / "bake").model.kind == "teacher"
    done = nfcore("render", file, "--from", "student", "--still", "0")
    assert (done.returncode, "no student" in done.stderr) == (2, True)


def test_half_a_student_is_refused(manager: PluginManager, folder):
    with pytest.raises(UserError, match="student and finetune"):
        configure(str(folder / "field.toml"), manager, changes=["distill.steps=3"])


def test_a_student_can_be_added_and_its_stages_follow(ran, folder):
    config = configure("tiny", tiny.manager())
    copy = shutil.copytree(ran, folder / "runs" / "grown")
    weights = (copy / "teacher.safetensors").read_bytes()
    results = execute(copy, config, resume=True, change=True, components=tiny.manager()).results
    assert results["student.test.psnr"] > 10
    assert (copy / "teacher.safetensors").read_bytes() == weights


def test_a_slow_teachers_orbit_is_smaller_and_says_so(tmp_path):
    from nfcore import FittedTeacher
    from nfcore.pipeline.render import save_orbit

    reporter = tiny.Notes()
    model = FittedTeacher(tiny.fitted_teacher(), tiny.Ring(tiny.Ring.Options(), 64).views("test").cameras)
    save_orbit(model, tmp_path / "orbit.mp4", most_seconds=1e-4, reporter=reporter)
    assert (tmp_path / "orbit.mp4").stat().st_size > 0
    (note,) = reporter.notes
    assert "64x64" in note
    assert "--size" in note
