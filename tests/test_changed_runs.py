"""A run goes on with a changed setting, from the stage that follows from it: ``nfcore run RUN/ --resume``."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from installed import source_folder

from nfcore.config.resolve import configure
from nfcore.runs import Run

pytestmark = pytest.mark.slow

STAGES = ["teach", "distill", "finetune", "evaluate", "render", "export.exact"]


@pytest.fixture
def nfcore(command, tmp_path):
    """The command line with the tiny components, in ``tmp_path``."""
    source_folder(tmp_path / "plugins" / "own", "own-dist", "plugin_own")
    return lambda *arguments: command("--plugins-dir", "plugins", *arguments, cwd=tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder for the run that tests copy, once one of them has made it."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def run(nfcore, made, tmp_path) -> Run:
    """A finished run, ``runs/tiny``."""
    if not (made / "tiny").exists():
        done = nfcore("run", "tiny", "--quiet", "--runs", made)
        assert done.returncode == 0, done.stderr
    return Run(shutil.copytree(made / "tiny", tmp_path / "runs" / "tiny"))


def seconds(run: Run) -> dict[str, float]:
    """When each file of the run was written."""
    return {path.name: path.stat().st_mtime for path in run.folder.rglob("*") if path.is_file()}


def test_a_changed_setting_begins_its_stage_and_those_after_it_anew(nfcore, run):
    before = seconds(run)
    done = nfcore("run", "runs/tiny/", "--resume", "--set", "distill.learning_rate=1e-3")
    assert done.returncode == 0, done.stderr
    assert "distill.learning_rate changed: re-running from distill" in done.stderr
    after = seconds(run)
    assert after["teacher.safetensors"] == before["teacher.safetensors"]
    assert after["distilled.safetensors"] > before["distilled.safetensors"]
    assert after["student.safetensors"] > before["student.safetensors"]
    assert Run(run.folder).config.distill.learning_rate == 1e-3


def test_a_run_goes_on_as_it_was_configured_without_naming_its_settings_again(nfcore, run):
    Run(run.folder).forget("evaluate")
    before = seconds(run)
    done = nfcore("run", "runs/tiny/", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert "re-running" not in done.stderr
    assert json.loads(done.stdout)["student.test.psnr"]
    assert seconds(run)["student.safetensors"] == before["student.safetensors"]


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ("seed=1", "teach"),
        ("teacher.gain=0.5", "teach"),
        ("scene.test=2", "teach"),
        ("student.backbone.width=16", "distill"),
        ("distill.steps=31", "distill"),
        ("finetune.steps=5", "finetune"),
        ("device=cpu", None),
        ("protocol=all", None),
    ],
)
def test_what_is_done_anew_follows_from_what_was_changed(tmp_path, manager, change, stage):
    run = Run.create(tmp_path / "run", configure("tiny", manager), resume=False)
    for name in STAGES:
        run.finish(name, {})
    assert run.change(configure("tiny", manager, changes=[change])) == stage
    assert list(run.finished) == (STAGES[: STAGES.index(stage)] if stage else STAGES)


def test_a_change_that_does_not_fit_the_scene_undoes_nothing(nfcore, run):
    done = nfcore("run", "runs/tiny/", "--resume", "--set", "image_size=18")
    assert done.returncode == 2
    assert "does not divide" in done.stderr
    assert set(Run(run.folder).finished) >= {"teach", "distill", "finetune"}
    assert Run(run.folder).config == run.config


def test_a_changed_setting_is_refused_without_resume_and_the_command_is_named(nfcore, run):
    for arguments in (["runs/tiny/"], ["tiny", "--resume"]):
        done = nfcore("run", *arguments, "--set", "distill.steps=31")
        assert done.returncode == 2
        assert "another distill.steps" in done.stderr
        assert "runs/tiny/ --resume --set KEY=VALUE'" in done.stderr
    assert set(Run(run.folder).finished) >= {"teach", "distill", "finetune"}


def test_a_run_is_the_recipe_of_another_one(nfcore, run, tmp_path):
    done = nfcore("run", "runs/tiny/", "--name", "other", "--set", "seed=1", "--export", "", "--quiet")
    assert done.returncode == 0, done.stderr
    other = Run(tmp_path / "runs" / "other")
    assert other.config == run.config.model_copy(update={"seed": 1, "export": {}})
    assert Run(run.folder).config == run.config


def test_a_run_that_diverged_names_the_command_that_goes_on(nfcore, tmp_path):
    done = nfcore("run", "tiny", "--quiet", "--export", "", "--set", "distill.learning_rate=1e30")
    assert done.returncode == 1
    assert re.search(r"the (loss|student|weights).*: lower learning_rate", done.stderr)
    found = re.search(r"'nfcore (run .*--set distill\.learning_rate=2\.5e\+29)'", done.stderr)
    assert found, done.stderr
    teacher = Path(tmp_path / "runs" / "tiny" / "teacher.safetensors")
    written = teacher.stat().st_mtime
    suggested = shlex.split(found[1])
    done = nfcore(*suggested[:-1], "distill.learning_rate=1e-3")
    assert done.returncode == 0, done.stderr
    assert teacher.stat().st_mtime == written
