"""A data set's folder tells by its files which ray source reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import source

import nfcore
from nfcore import Component, PluginError, UserError
from nfcore.config.resolve import configure
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.scene_detection import readers, recognised, scene_choice


def reading(name: str, *markers: str) -> Component:
    return Component("ray_source", name, "tiny:Ring", markers=markers, level=2)


def posing(name: str, *suffixes: str) -> Component:
    return Component("ray_source", name, "tiny:Ring", suffixes=suffixes, level=2)


def manager(**plugins: list[Component]) -> PluginManager:
    """A manager with a plugin, named by the distribution, for each list of components."""

    def plugin(components: list[Component]) -> object:
        hook = nfcore.hookimpl(lambda: components)
        return type("Plugin", (), {"nfcore_components": staticmethod(hook)})()

    return PluginManager([source(plugin(offered), name) for name, offered in plugins.items()])


SOURCES = [reading("numbers", "poses.npy"), reading("words", "model/a.txt", "model/a.bin"), reading("none")]


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def test_one_marker_is_enough(folder):
    (folder / "model").mkdir()
    (folder / "model" / "a.bin").write_text("")
    assert recognised(folder, manager(a=SOURCES)) == "words"


def test_of_several_layouts_the_one_that_their_distribution_lists_first_is_read(folder):
    (folder / "model").mkdir()
    (folder / "model" / "a.txt").write_text("")
    (folder / "poses.npy").write_text("")
    assert recognised(folder, manager(a=SOURCES)) == "numbers"
    assert readers(folder, manager(a=SOURCES)) == ["numbers", "words"]
    with pytest.raises(UserError, match=f"numbers:{folder} or words:{folder}"):
        recognised(folder, manager(a=SOURCES[:1], b=SOURCES[1:]))


def test_a_marker_file_stands_for_its_folder(folder):
    (folder / "model").mkdir()
    (folder / "model" / "a.txt").write_text("")
    choice = scene_choice(str(folder / "model" / "a.txt"), manager(a=SOURCES))
    assert choice == {"name": "words", "path": str(folder)}


def test_a_data_set_in_a_sub_folder_is_pointed_at(folder):
    (folder / "capture").mkdir()
    (folder / "capture" / "poses.npy").write_text("")
    with pytest.raises(UserError) as error:
        recognised(folder, manager(a=SOURCES))
    assert str(folder / "capture") in str(error.value)


@pytest.mark.parametrize(
    ("file", "step"),
    [
        ("scan.r3d", "unzip"),
        ("capture.zip", "unzip"),
        ("cameras.sfm", "nfcore pose"),
        ("reconstruction.json", "ns-process-data odm"),
        ("database.db", "nfcore pose"),
        ("transforms_test.json", "transforms_train.json"),
    ],
)
def test_a_layout_that_none_reads_is_answered_with_the_next_step(folder, file, step):
    (folder / file).write_text("")
    with pytest.raises(UserError) as error:
        recognised(folder, manager(a=SOURCES))
    assert step in str(error.value) and len(str(error.value).splitlines()) <= 2


def test_a_name_that_two_distributions_have_is_said_in_full(folder):
    (folder / "poses.npy").write_text("")
    with pytest.raises(UserError, match=f"a/numbers:{folder} or b/numbers:{folder}"):
        recognised(folder, manager(a=SOURCES, b=SOURCES[:1]))


def test_a_folder_that_none_reads_is_answered_with_what_each_looks_for(folder):
    with pytest.raises(UserError, match=r"numbers has poses\.npy; words has model/a\.txt or model/a\.bin"):
        recognised(folder, manager(a=SOURCES))


@pytest.mark.parametrize("file", ["a.JPG", "images/a.jpg", "holiday/a.jpg"])
def test_a_folder_of_plain_files_goes_to_the_ray_source_that_reads_them(folder, file):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("")
    assert recognised(folder, manager(a=[*SOURCES, posing("plain", ".jpg", ".mp4")])) == "plain"


def test_among_plain_files_of_two_kinds_the_larger_number_decides(folder):
    sources = manager(a=[posing("photographs", ".jpg", ".png")], b=[posing("clouds", ".ply")])
    for name in ("1.jpg", "2.png", "sparse.ply"):
        (folder / name).write_text("")
    assert recognised(folder, sources) == "photographs"
    (folder / "dense.ply").write_text("")
    with pytest.raises(UserError, match=f"photographs:{folder} or clouds:{folder}"):
        recognised(folder, sources)


@pytest.mark.parametrize("poses", ["sfm/poses.npy", "../poses.npy", "transforms_all.json"])
def test_photos_with_poses_close_to_them_are_not_posed_again(folder, poses):
    (folder / "a.jpg").write_text("")
    (folder / poses).parent.mkdir(exist_ok=True)
    (folder / poses).write_text("")
    with pytest.raises(UserError) as error:
        recognised(folder, manager(a=[*SOURCES, posing("plain", ".jpg")]))
    named = "file=transforms_all.json" if poses.endswith(".json") else str((folder / poses).resolve().parent)
    assert named in str(error.value)


def test_another_file_of_a_data_set_is_answered_with_its_folder(folder):
    (folder / "poses.npy").write_text("")
    (folder / "points.npy").write_text("")
    with pytest.raises(UserError, match=f"choose its folder {folder}"):
        scene_choice(str(folder / "points.npy"), manager(a=SOURCES))
    (folder / "base_cam.json").write_text("{}")
    with pytest.raises(UserError, match=r"file=base_cam\.json"):
        scene_choice(str(folder / "base_cam.json"), manager(a=SOURCES))


def test_a_marker_goes_before_plain_files(folder):
    (folder / "a.jpg").write_text("")
    (folder / "poses.npy").write_text("")
    assert recognised(folder, manager(a=[*SOURCES, posing("plain", ".jpg")])) == "numbers"


def test_photos_of_a_data_set_that_lacks_a_file_are_no_plain_files(folder):
    (folder / "train").mkdir()
    (folder / "train" / "a.jpg").write_text("")
    (folder / "transforms_test.json").write_text("")
    with pytest.raises(UserError, match=r"transforms_train\.json is missing"):
        recognised(folder, manager(a=[posing("plain", ".jpg")]))


def test_hidden_files_are_not_plain_files(folder):
    (folder / ".a.jpg").write_text("")
    with pytest.raises(UserError, match=r"plain reads \.jpg"):
        recognised(folder, manager(a=[posing("plain", ".jpg")]))


def test_a_scene_may_be_a_file_alone(folder, monkeypatch):
    (folder / "film.MP4").write_text("")
    monkeypatch.chdir(folder)
    plain = manager(a=[posing("plain", ".jpg", ".mp4")])
    assert scene_choice("film.MP4", plain) == {"name": "plain", "path": str(folder / "film.MP4")}
    (folder / "film.txt").write_text("")
    with pytest.raises(UserError, match=r"film.txt is no file .* plain reads \.jpg \.mp4"):
        scene_choice("film.txt", plain)


def test_photos_that_none_reads_are_answered_with_the_plugin_that_would(folder):
    def explain(what: str, name: str) -> list[str]:
        return [f"install {name}"] if (what, name) == ("ray source", "photos") else []

    (folder / "a.jpg").write_text("")
    with pytest.raises(UserError, match="photos without poses, or a video: install photos"):
        recognised(folder, PluginManager([], explain=explain))


def test_a_scene_may_be_a_folder_alone(folder, monkeypatch):
    (folder / "poses.npy").write_text("")
    monkeypatch.chdir(folder.parent)
    for text in ("photos", "./photos", str(folder)):
        assert scene_choice(text, manager(a=SOURCES)) == {"name": "numbers", "path": str(folder)}


def test_a_ray_sources_name_goes_before_a_folders(tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    assert scene_choice("none", manager(a=SOURCES)) == {"name": "none"}
    assert scene_choice("a/none", manager(a=SOURCES)) == {"name": "a/none"}


def test_neither_a_folder_nor_a_name_is_an_error_that_says_so():
    with pytest.raises(UserError, match="there is no file or folder data/lego"):
        scene_choice("data/lego", manager(a=SOURCES))
    with pytest.raises(UserError, match=r"there is no file or folder film\.mp4"):
        scene_choice("film.mp4", manager(a=SOURCES))
    with pytest.raises(PluginError, match="unknown ray source 'numbrs': did you mean 'numbers'"):
        scene_choice("numbrs:photos", manager(a=SOURCES))


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        ("transforms_train.json", "blender"),
        ("transforms.json", "transforms"),
        ("poses_bounds.npy", "llff"),
        ("sparse/0/cameras.bin", "colmap"),
        ("sparse/0/cameras.txt", "colmap"),
    ],
)
def test_the_fields_layouts_are_recognised(folder, marker, name):
    (folder / marker).parent.mkdir(parents=True, exist_ok=True)
    (folder / marker).write_text("")
    assert configure("quickstart", nfcore.plugins(), scene=str(folder)).scene.name == name


def test_what_nerfstudio_leaves_beside_its_json_does_not_confuse(folder):
    """ns-process-data keeps COLMAP's model under colmap/sparse/0."""
    (folder / "colmap" / "sparse" / "0").mkdir(parents=True)
    (folder / "colmap" / "sparse" / "0" / "cameras.bin").write_text("")
    (folder / "transforms.json").write_text("")
    assert recognised(folder, nfcore.plugins()) == "transforms"
