"""COLMAP's library leaves the process as it was, and only photos of lenses that distort need it."""

import signal
import subprocess
import sys

import numpy as np
import pytest

import nfcore
from nfcore_scenes.camera_models import CAMERA_MODELS
from nfcore_scenes.colmap_files import read_model
from nfcore_scenes.colmap_library import pycolmap_for
from nfcore_scenes.lenses import Lens

CODE = """import os, signal, time
from nfcore_scenes.colmap_library import pycolmap_for
pycolmap_for("this test")
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""
pycolmap = pycolmap_for("this test")


@pytest.fixture
def without_pycolmap(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)


def test_the_models_are_those_of_colmap():
    known = {name: int(model) for name, model in pycolmap.CameraModelId.__members__.items() if name != "INVALID"}
    assert {name: model.number for name, model in CAMERA_MODELS.items()} == known
    for name, model in CAMERA_MODELS.items():
        camera = pycolmap.Camera.create_from_model_id(1, known[name], 1.0, 1, 1)
        assert (len(camera.focal_length_idxs()), len(camera.params)) == (model.focal_lengths, model.parameters)


@pytest.mark.parametrize("name", [name for name in CAMERA_MODELS if name != "EQUIRECTANGULAR"])
def test_a_lens_is_scaled_as_colmap_scales_it(name):
    params = pycolmap.Camera.create_from_model_id(
        1, pycolmap.CameraModelId.__members__[name], 90.0, 100, 80
    ).params
    camera = pycolmap.Camera(model=name, width=100, height=80, params=params)
    camera.rescale(50, 48)
    assert Lens(name, 80, 100, tuple(params)).scaled(48, 50).params == pytest.approx(tuple(camera.params))


@pytest.mark.usefixtures("without_pycolmap")
def test_a_model_of_pinholes_is_read_without_it(tmp_path):
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 100 80 90 91 50 40\n")
    (tmp_path / "images.txt").write_text("1 0.5 0.5 -0.5 0.5 1 2 3 1 a.png\n\n")
    (photo,) = read_model(tmp_path).photos
    assert photo.lens.pinhole() == (90, 91, 50, 40)
    turned = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([0.5, -0.5, 0.5, 0.5])), np.array([1.0, 2.0, 3.0]))
    expected = np.asarray(turned.inverse().matrix()) * [1, -1, -1, 1]
    assert photo.pose.numpy() == pytest.approx(expected)


@pytest.mark.usefixtures("without_pycolmap")
def test_a_lens_that_distorts_says_what_is_missing():
    lens = Lens("SIMPLE_RADIAL", 100, 100, (100.0, 50.0, 50.0, -0.2))
    lens.check("here")
    with pytest.raises(nfcore.UserError, match=r"(?s)SIMPLE_RADIAL.*pip install pycolmap"):
        lens.pinhole()


@pytest.mark.slow
def test_a_process_that_is_asked_to_end_does_so_without_a_word():
    done = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGTERM
    assert not done.stderr
