"""The viewer that exported pages share: the camera's region, and what a page contains."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
import torch

from nfcore import Cameras, LightField, OrbitRegion, Scene
from nfcore.testing import tiny_student
from nfcore.viewer import (
    camera_region,
    css_colour,
    pack_bytes,
    read_element,
    unpack_bytes,
    viewer_card,
    viewer_page,
)


@pytest.fixture
def student() -> LightField:
    return tiny_student()


def page(student: LightField, **more: str) -> str:
    card = viewer_card(student, "A scene", [student.cameras])
    return viewer_page(card, script="await nothing();", about="Something computes it.", **more)


def test_inward_cameras_give_a_shell_that_starts_at_one_of_them(student):
    cameras = student.cameras
    found = camera_region(student)
    assert found["kind"] == "orbit"
    shell = OrbitRegion.around(cameras)
    start = {name: torch.tensor([value]) for name, value in found["start"].items()}
    pose = shell.poses(start["azimuth"], start["height"], start["radius"])[0]
    assert float((cameras.poses[:, :, 3] - pose[:, 3]).norm(dim=1).min()) < 1e-4
    assert found["height"][0] <= found["start"]["height"] <= found["height"][1]


def test_a_lone_camera_still_has_room_to_move(student):
    student.cameras = student.cameras[0]
    found = camera_region(student)
    assert found["kind"] == "box"
    assert all(low < 0 < high for low, high in zip(found["low"], found["high"], strict=True))


def test_cameras_that_look_outwards_get_a_box(student):
    inwards = student.cameras
    turned = inwards.poses.clone()
    turned[:, :, [0, 2]] *= -1
    student.cameras = Cameras(turned, inwards.intrinsics, inwards.height, inwards.width)
    assert camera_region(student)["kind"] == "box"


def test_only_images_with_surroundings_have_a_frame(student):
    assert not viewer_card(student, "A thing", [student.cameras])["framed"]
    student.scene = Scene(near=1, far=9, box=((-1, -1, -1), (1, 1, 1)), unbounded=True)
    card = viewer_card(student, "A place", [student.cameras])
    assert card["framed"]
    assert css_colour(card["background"]) != css_colour(student.scene.background)


def test_a_page_names_no_address_of_any_network(student):
    for file in files("nfcore.viewer").joinpath("front").iterdir():
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", file.read_text(encoding="utf-8"))
        assert [url for url in found if "www.w3.org" not in url] == [], file.name
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page(student))[1]
    assert {source for rule in policy.split(";") for source in rule.split()[1:]} == {
        "'none'",
        "'unsafe-inline'",
        "blob:",
        "data:",
    }


def test_what_is_put_into_a_page_can_be_read_from_it(student):
    made = page(student, data={"volume": "AAEC"}, modules={"draw": "export const x = '<';"})
    assert read_element(made, "volume") == "AAEC"
    assert json.loads(read_element(made, "card"))["title"] == "A scene"
    assert '"nfcore/draw":"data:text/javascript' in made
    with pytest.raises(LookupError):
        read_element(made, "weights")


@pytest.mark.parametrize("length", [0, 1, 6, 7, 8, 4096])
def test_packed_bytes_are_those_that_a_page_holds(student, length):
    data = bytes(7 * i % 256 for i in range(length))
    text = pack_bytes(data)
    assert unpack_bytes(read_element(page(student, data={"volume": text}), "volume")) == data
    assert not set(text) & {"\0", "\r", "<"}, "HTML changes these"
    assert len(text.encode()) <= 1.2 * length + 4


def test_damaged_packed_bytes_are_refused():
    with pytest.raises(ValueError, match="not packed"):
        unpack_bytes("€")


def test_data_with_markup_is_refused(student):
    with pytest.raises(ValueError, match="volume"):
        page(student, data={"volume": "</script>"})


def test_a_title_can_not_end_the_pages_data(student):
    card = viewer_card(student, "</script><b>", [student.cameras])
    made = viewer_page(card, script="", about="")
    assert json.loads(read_element(made, "card"))["title"] == "</script><b>"
