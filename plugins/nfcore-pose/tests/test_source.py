"""The ray source ``photos`` keeps its contract, and passes options on to the one that reads its data set."""

from __future__ import annotations

import pytest
import textured_room
from PIL import Image

import nfcore
from nfcore import UserError
from nfcore.testing import RaySourceConformance
from nfcore_pose import estimation

pytestmark = pytest.mark.slow


class TestPhotos(RaySourceConformance):
    component = "nfcore-pose/photos"
    image_size = 48

    def options_in(self, folder):
        return {"path": textured_room.save_room(folder / "room"), "features_at": 240, "test_every": 3}


def test_a_scene_may_be_a_folder_of_plain_photos(room):
    options = {"path": room, "features_at": 240, "test_every": 4, "multiple_of": 8}
    source = nfcore.plugins().build("ray_source", "photos", options, 120)
    assert source.views("train").cameras.height == 88
    assert len(source.views("test")) == 2
    assert source.points is not None


def test_options_of_the_reader_do_not_pose_the_photos_again(posed_room, room, monkeypatch):
    monkeypatch.setattr(estimation, "run_worker", lambda *_: pytest.fail("posed again"))
    options = {"path": room, "features_at": 240, "test_every": 4, "multiple_of": 8}
    assert len(nfcore.plugins().build("ray_source", "photos", options, 120).views("test")) == 2


def test_masked_pixels_are_not_learned(tmp_path):
    photos = textured_room.save_photos(tmp_path, textured_room.walk(5))
    (tmp_path / "masks").mkdir()
    mask = Image.new("L", (textured_room.WIDTH, textured_room.HEIGHT), 255)
    mask.paste(0, (0, 0, 80, textured_room.HEIGHT))
    for photo in photos.glob("*.png"):
        mask.save(tmp_path / "masks" / photo.name)
    source = nfcore.plugins().build("ray_source", "photos", {"path": photos, "features_at": 240}, 120)
    masks = source.views("train").masks
    assert masks is not None
    assert masks[:, :, :36].all()
    assert not masks[:, :, 44:].any()


def test_an_option_that_no_one_knows_is_refused_with_the_nearest(room):
    with pytest.raises(UserError, match=r"'test_evry'.*'test_every'"):
        nfcore.plugins().build("ray_source", "photos", {"path": room, "test_evry": 4}, 120)
