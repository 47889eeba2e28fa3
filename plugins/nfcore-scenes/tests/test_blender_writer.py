from __future__ import annotations

import json

import pytest
import torch

from nfcore import Cameras, UserError, Views
from nfcore_scenes.blender import Blender
from nfcore_scenes.blender_writer import write_blender
from nfcore_scenes.procedural import Procedural


@pytest.fixture(scope="module")
def scene():
    return Procedural(Procedural.Options(train_views=3, val_views=2, test_views=2), 32)


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "scene"
    write_blender(scene, folder)
    return folder


class OneSplit:
    """A ray source with the given views in every split."""

    def __init__(self, views: Views, scene: object) -> None:
        self._views, self.scene = views, scene

    def views(self, split: str) -> Views:
        return self._views


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_what_was_written_is_read_back(scene, folder, split):
    written, read = scene.views(split), Blender(Blender.Options(path=folder)).views(split)
    assert read.names == tuple(f"{name}.png" for name in written.names)
    assert torch.allclose(read.cameras.poses, written.cameras.poses, atol=1e-5)
    assert torch.allclose(read.cameras.intrinsics, written.cameras.intrinsics, rtol=1e-5)
    # Colours and alpha are each rounded to 8 bits, half a level off at most.
    assert (read.images - written.images).abs().max() <= 1.01 / 255
    assert (read.alpha - written.alpha).abs().max() <= 0.51 / 255


def test_the_background_is_taken_out_of_the_colours(tmp_path, folder):
    black = Procedural(Procedural.Options(train_views=3, val_views=0, test_views=2, background=(0, 0, 0)), 32)
    write_blender(black, tmp_path / "black")
    read = Blender(Blender.Options(path=tmp_path / "black")).views("test")
    on_white = Blender(Blender.Options(path=folder)).views("test")
    assert (read.images - on_white.images).abs().max() <= 2.1 / 255


def test_a_split_without_views_gets_no_file(tmp_path):
    source = Procedural(Procedural.Options(train_views=2, val_views=0, test_views=1), 8)
    write_blender(source, tmp_path / "scene")
    assert sorted(p.name for p in (tmp_path / "scene").iterdir()) == [
        "test",
        "train",
        "transforms_test.json",
        "transforms_train.json",
    ]


def test_the_files_are_in_the_layout_of_nerf_synthetic(folder):
    transforms = json.loads((folder / "transforms_train.json").read_text())
    assert transforms["camera_angle_x"] == pytest.approx(0.6911, abs=1e-6)
    frame = transforms["frames"][0]
    assert frame["file_path"] == "./train/r_0"
    assert frame["transform_matrix"][3] == [0, 0, 0, 1]


def test_photos_without_alpha_are_written_as_rgb(tmp_path, scene):
    views = scene.views("test")
    opaque = Views(views.cameras, views.images, None, views.names)
    write_blender(OneSplit(opaque, scene.scene), tmp_path / "scene")
    transforms = json.loads((tmp_path / "scene" / "transforms_test.json").read_text())
    assert len(transforms["frames"]) == len(views)
    image = torch.frombuffer(bytearray((tmp_path / "scene" / "test" / "r_0.png").read_bytes()), dtype=torch.uint8)
    assert image[25] == 2  # the colour type in a PNG's header: RGB without alpha


def test_an_existing_folder_is_left_as_it_is(tmp_path, scene):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UserError, match="exists already"):
        write_blender(scene, tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_cameras_that_the_layout_cannot_hold_are_refused_and_leave_nothing(tmp_path, scene):
    views = scene.views("test")
    skewed = views.cameras.intrinsics + torch.tensor([0.0, 0.0, 3.0, 0.0])
    cameras = Cameras(views.cameras.poses, skewed, 32, 32)
    source = OneSplit(Views(cameras, views.images, views.alpha, views.names), scene.scene)
    with pytest.raises(UserError, match="principal point in the middle"):
        write_blender(source, tmp_path / "scene")
    assert list(tmp_path.iterdir()) == []
