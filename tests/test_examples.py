"""The examples run as they stand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nfcore
from nfcore.evaluation.metrics import psnr

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_parts_can_be_composed_in_python(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("compose", EXAMPLES / "compose.py")
    compose = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compose)
    reached = compose.main(tmp_path, teacher_steps=40, student_steps=100)
    photos = nfcore.plugins().build("ray_source", "procedural", {}, 64).views("test").images.permute(0, 3, 1, 2)
    grey = photos.mean((1, 2, 3), keepdim=True).expand_as(photos)  # the best that one grey per view can do
    assert reached > float(psnr(grey, photos).mean()) + 2
    assert f"{reached:.2f} dB" in capsys.readouterr().out
    assert (tmp_path / "student.safetensors").is_file()
    assert (tmp_path / "onnx" / "light_field.onnx").is_file()
