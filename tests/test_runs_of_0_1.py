"""Runs that nfcore 0.1 made still load: their settings, where these came from, their student and its file."""

from __future__ import annotations

import json
import re

import pytest
import tiny

from nfcore import LightField, runs
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.runs.report import gather

pytestmark = pytest.mark.slow

# What 0.1 wrote into config.toml of each training stage, and 0.2 has no more.
REMOVED = "anywhere = 0.1\nema = 0.0\ncompile = false\n"
SOURCES = {"teach.steps": "--set", "teacher.name": "recipe tiny"}
COMMAND = {
    "line": "nfcore run tiny --set teach.steps=1",
    "began": "2026-11-25T22:23:35Z",
    "versions": {"python": "3.11.7", "neural-field-core": "0.1.0"},
    "machine": "x86_64 AVX512 torch 2.13.0+cpu",
}
CARD = {
    "format": 1,
    "encoding": {"name": "tiny-dist/directions", "options": {"jitter": 0.0}},
    "backbone": {"name": "tiny-dist/mixing", "options": {"width": 8, "norm": False}},
    "upsampler": {"name": "tiny-dist/shuffle", "options": {"width": 1}},
    "scale": 4,
    "scene": {"near": 1.0, "far": 5.0, "box": [[-1, -1, -1], [1, 1, 1]], "background": [1, 1, 1]},
    "height": 16,
    "width": 16,
}


@pytest.fixture
def old(run, manager, console):
    """The folder of a finished run as 0.1 left it."""
    runs.execute(run.folder, components=manager, console=console)
    text = run.config_file.read_text()
    run.config_file.write_text(re.sub(r"^\[(distill|finetune)\]\n", rf"[\1]\n{REMOVED}", text, flags=re.M))
    (run.folder / "provenance.json").write_text(json.dumps({"origins": SOURCES, "commands": [COMMAND]}))
    (run.folder / "report.html").unlink()
    return run.folder


def test_a_run_of_0_1_is_opened_with_all_that_it_holds(old, manager):
    run = runs.open(old, manager)
    assert run.results["student.test.psnr"] > 0
    assert run.student.scale == 4
    assert run.teacher.scene == run.source.scene
    assert set(run.exports) == {"exact", "elsewhere"}


def test_a_run_of_0_1_is_resumed_without_doing_anything_again(old, manager, console):
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*.safetensors")}
    runs.execute(old, runs.open(old, manager).config, resume=True, components=manager, console=console)
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*.safetensors")} == before


def test_a_run_of_0_1_still_knows_its_command_and_where_its_settings_came_from(old, manager, console):
    contents = gather(runs.open(old, manager))
    assert [command.line for command in contents.commands] == [COMMAND["line"]]
    sources = {f"{group.name}.{s.name}": s.source for group in contents.groups for s in group.settings}
    assert (sources["teach.steps"], sources["teacher.name"]) == ("--set", "recipe tiny")
    runs.Run(old).forget("evaluate")
    runs.execute(old, components=manager, console=console, command="nfcore run tiny --resume")
    kept = json.loads((old / "provenance.json").read_text())
    assert kept["sources"] == SOURCES
    assert [command["line"] for command in kept["commands"]] == [COMMAND["line"], "nfcore run tiny --resume"]


def test_a_students_file_of_0_1_is_read(tmp_path, manager):
    path = tmp_path / "student.safetensors"
    student = tiny.student()
    student.save(path, manager)
    tensors, _ = read_safetensors(path)
    write_safetensors(path, tensors, {"nfcore": json.dumps(CARD)})
    loaded = LightField.load(path, manager)
    assert (loaded.picture(student.cameras[0]) == student.picture(student.cameras[0])).all()
