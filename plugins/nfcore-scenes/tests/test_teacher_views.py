"""A run's teacher as a scene: what it shows is what is trained on, the photos are what is scored."""

from __future__ import annotations

import os

import platformdirs
import pytest
import torch

import nfcore
import nfcore.runs
from nfcore import Cameras, UserError
from nfcore.config import configure
from nfcore.testing import RaySourceConformance
from nfcore.views import render_view
from nfcore_scenes.teacher_views import TeacherViews

pytestmark = pytest.mark.slow

CHANGES = ["image_size=16", "teach.steps=20", "teacher.resolution=16", "scene.train_views=4", "scene.test_views=2"]


def taught(folder):
    """Teach in a new run of four tiny photos; return it."""
    pytest.importorskip("nfcore_teachers")
    nfcore.runs.execute(folder, configure("field", nfcore.plugins(), changes=CHANGES), stage="teach")
    return nfcore.runs.open(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return taught(tmp_path_factory.mktemp("runs") / "field")


class TestTeacherViews(RaySourceConformance):
    component = "nfcore-scenes/teacher-views"

    def options_in(self, folder):
        return {"path": taught(folder / "field").run.folder, "views": 6}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep the views out of the user's cache, but take kernels from there: compiling them takes twenty seconds."""
    kernels = os.environ.get("NFCORE_KERNELS") or os.fspath(platformdirs.user_cache_path("nfcore") / "kernels")
    monkeypatch.setenv("NFCORE_KERNELS", kernels)
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path))


def scene_of(run, views=7, image_size=None):
    return TeacherViews(TeacherViews.Options(path=run.run.folder, views=views), image_size)


def test_training_views_are_the_teachers_and_the_others_the_photos(run):
    source, photos = scene_of(run), run.source
    train = source.views("train")
    assert (len(train), train.cameras.height, source.scene) == (7, 16, photos.scene)
    assert torch.equal(train.cameras.poses[:4], photos.views("train").cameras.poses)
    seen = render_view(run.teacher, Cameras(train.cameras.poses[5:6], train.cameras.intrinsics[5:6], 16, 16))
    assert (train.images[5] - seen.rgb).abs().max() <= 0.5 / 255 + 1e-6
    assert (train.alpha[5] - seen.opacity).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(source.views("test").images, photos.views("test").images)


def test_views_are_rendered_once(run, monkeypatch):
    first = scene_of(run).views("train").images
    monkeypatch.setattr("nfcore_scenes.teacher_views.render_view", lambda *_: pytest.fail("they are cached"))
    assert torch.equal(scene_of(run).views("train").images, first)


def test_fewer_views_than_photos_are_spread_over_them(run):
    poses = scene_of(run, views=2).views("train").cameras.poses
    assert torch.equal(poses, run.source.views("train").cameras.poses[[0, 2]])


def test_another_size_is_rendered_at_that_size(run):
    assert scene_of(run, image_size=8).views("train").images.shape == (7, 8, 8, 3)


def test_a_run_without_a_teacher_is_refused(tmp_path, run):
    with pytest.raises(UserError, match="nothing"):
        TeacherViews(TeacherViews.Options(path=tmp_path / "nothing"))
