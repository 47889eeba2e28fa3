"""The examples run as they stand."""

from __future__ import annotations

import importlib.util
import json
import runpy
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import nfcore
from nfcore import runs
from nfcore.evaluation.metrics import psnr

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
FEW_STEPS = ("image_size=32", "teach.steps=60", "distill.steps=10", "distill.views=8", "finetune.steps=2")


def example(name: str) -> ModuleType:
    """An example as a module, without running it."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_parts_can_be_composed_in_python(tmp_path, capsys):
    reached = example("compose").main(tmp_path, teacher_steps=40, student_steps=100)
    photos = nfcore.plugins().build("ray_source", "procedural", {}, 64).views("test").images.permute(0, 3, 1, 2)
    grey = photos.mean((1, 2, 3), keepdim=True).expand_as(photos)  # the best that one grey per view can do
    assert reached > float(psnr(grey, photos).mean()) + 2
    assert f"{reached:.2f} dB" in capsys.readouterr().out
    assert (tmp_path / "student.safetensors").is_file()
    assert (tmp_path / "onnx" / "light_field.onnx").is_file()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> runs.Artifacts:
    """The run of examples/run.py, with few steps."""
    return example("run").main(tmp_path_factory.mktemp("example") / "run", *FEW_STEPS)


def test_a_run_can_be_made_in_python_and_knows_the_script_that_made_it(finished):
    folder = finished.run.folder
    assert finished.results == json.loads((folder / "summary.json").read_text())
    assert finished.exports["onnx"].bytes == finished.results["export.onnx.bytes"]
    assert (folder / "report.html").is_file()
    (command,) = json.loads((folder / "provenance.json").read_text())["commands"]
    assert command["line"].startswith("python ")


def test_a_finished_run_is_opened_by_its_path_and_nothing_is_done_again(finished):
    opened = runs.open(str(finished.run.folder))
    assert opened.results == finished.results
    assert opened.student.cameras.height == 32
    assert opened.teacher.scene == opened.source.scene
    before = finished.run.student_file.stat().st_mtime_ns
    example("run").main(finished.run.folder, *FEW_STEPS)
    assert finished.run.student_file.stat().st_mtime_ns == before


def test_a_students_file_alone_gives_a_picture(finished, tmp_path, monkeypatch):
    out = tmp_path / "view.png"
    monkeypatch.setattr("sys.argv", ["picture.py", str(finished.run.student_file), str(out)])
    runpy.run_path(str(EXAMPLES / "picture.py"))
    shown = np.array(Image.open(out))
    assert (shown == finished.student.picture(finished.student.cameras[0])).all()
