"""Files as scenes: from where they are seen, and what the teacher and the exporter make of them."""

import json

import pytest
import splat_ball
import torch
from splats import camera, random_gaussians

from nfcore import Budget, Reporter, UserError
from nfcore_splats.exporter import PLY, SPZ, SplatExporter
from nfcore_splats.files import read_gaussians
from nfcore_splats.gaussians import CONSTANT, Gaussians
from nfcore_splats.ply import write_ply
from nfcore_splats.source import SplatScene
from nfcore_splats.spz import write_spz
from nfcore_splats.teacher import Splats

VIEWS = {"train_views": 4, "val_views": 1, "test_views": 2}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "blob.ply").write_bytes(write_ply(random_gaussians(120, degree=1)))
    return tmp_path / "blob.ply"


def scene(path, size=24, **options):
    return SplatScene(SplatScene.Options(path=path, **(VIEWS | options)), size)


def test_orbits_show_nearly_all_of_the_file(path):
    alpha = scene(path).views("train").alpha
    border = torch.cat([alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]], 1)
    assert alpha.amax((1, 2)).min() > 0.9
    assert border.mean() < 0.1


@pytest.mark.parametrize(("ending", "up"), [("ply", -1), ("spz", 1)])
def test_up_is_what_the_format_takes_for_up(tmp_path, ending, up):
    path = tmp_path / f"a.{ending}"
    path.write_bytes((write_ply if ending == "ply" else write_spz)(random_gaussians(50, degree=0)))
    heights = scene(path, elevation=(30, 60)).views("train").cameras.poses[:, 1, 3]
    assert (up * heights > 0).all()


def test_cameras_of_the_reference_code_see_what_they_saw(path, tmp_path):
    """Its axes are x right, y down, z forwards."""
    own = camera(24, 24)
    rotation = (own.poses[0, :, :3] * torch.tensor([1.0, -1, -1])).tolist()
    photo = {"id": 0, "img_name": "a", "width": 24, "height": 24, "fx": 60, "fy": 65, "rotation": rotation}
    photos = [photo | {"position": (own.poses[0, :, 3] + 0.01 * i).tolist()} for i in range(5)]
    (tmp_path / "cameras.json").write_text(json.dumps(photos))
    source = scene(path, None, cameras=tmp_path / "cameras.json")
    test = source.views("test").cameras
    assert test.poses[0] == pytest.approx(own.poses[0], abs=1e-6)
    assert test.intrinsics[0].tolist() == [60, 65, 12, 12]
    assert source.scene.near < 3.7 < source.scene.far


@pytest.mark.parametrize("text", ["[", "[]", "[1]", '[{"width": 3}]', '{"frames": []}'])
def test_cameras_that_are_none_are_named(path, tmp_path, text):
    (tmp_path / "cameras.json").write_text(text)
    with pytest.raises(UserError, match=r"cameras\.json"):
        scene(path, cameras=tmp_path / "cameras.json").views("train")


def test_a_file_with_a_background_says_that_it_wants_its_cameras(tmp_path):
    inner, outer = random_gaussians(200, degree=0), random_gaussians(40, degree=0)
    both = {name: torch.cat([one, outer.tensors[name]]) for name, one in inner.tensors.items()}
    both["means"][200:] *= 40
    (tmp_path / "a.ply").write_bytes(write_ply(Gaussians.of_tensors(both)))
    source = scene(tmp_path / "a.ply")
    assert source.scene.unbounded
    assert source.views("test").alpha is None
    assert any("cameras" in note for note in source.notes)


def test_a_transparent_file_shows_nothing(tmp_path):
    clear = Gaussians.of_colours(torch.zeros(3, 3), torch.ones(3, 3), torch.zeros(3, 3), opacity=0.01)
    (tmp_path / "a.ply").write_bytes(write_ply(clear))
    with pytest.raises(UserError, match="transparent"):
        scene(tmp_path / "a.ply")


class Notes(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_scene_s_own_gaussians_are_its_teacher(path):
    source, test = scene(path), scene(path).views("test")
    teacher = Splats(Splats.Options(), source.scene)
    teacher.fit(source, Budget(5), Reporter())
    assert torch.equal(teacher.render_views(test.cameras).rgb, test.images)


def test_a_teacher_of_a_file_says_what_was_left_out(path, tmp_path):
    spoilt = random_gaussians(9, degree=0)
    spoilt.means[0] = torch.nan
    (tmp_path / "spoilt.ply").write_bytes(write_ply(spoilt))
    source, notes = scene(path), Notes()
    teacher = Splats(Splats.Options(file=tmp_path / "spoilt.ply"), source.scene)
    teacher.fit(source, Budget(5), notes)
    assert len(teacher.gaussians) == 8
    assert "1 of 9" in notes.notes[0]


def test_exported_splats_stand_upright_in_both_formats(tmp_path):
    """The scene's up is z; its upper half is red."""
    exporter = SplatExporter(SplatExporter.Options(splats=800, degree=1, views=8, steps=40))
    report = exporter.export(splat_ball.model(), tmp_path).report
    for name, up in ((PLY, -1), (SPZ, 1)):
        read = read_gaussians(tmp_path / name).gaussians
        colours = read.harmonics[:, 0] * CONSTANT + 0.5
        upper = up * read.means[:, 1] > 0.3
        assert colours[upper, 0].median() > 0.6
        assert colours[upper, 2].median() < 0.4
        assert len(read) == report["splats"]
    assert report["SPZ, bytes"] < report["PLY, bytes"] / 3


def test_a_teacher_that_shows_nothing_gives_no_splats(tmp_path):
    model = splat_ball.model()
    model.teacher.radius = 0
    with pytest.raises(UserError, match="no splats"):
        SplatExporter(SplatExporter.Options(views=2)).export(model, tmp_path)
