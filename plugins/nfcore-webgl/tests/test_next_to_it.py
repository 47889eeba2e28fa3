"""What is next to the page, and how `nfcore bench` times it, in a real Chromium."""

from __future__ import annotations

import pytest

from nfcore import UserError
from nfcore.measuring.pages import find_chromium, page_of, page_speed
from nfcore_webgl.models import copy_models

pytestmark = pytest.mark.slow


@pytest.fixture
def with_mesh(exported, tmp_path):
    """A page with files of a mesh next to it."""
    for name in ("mesh.glb", "mesh.usdz"):
        (tmp_path / name).write_bytes(b"a mesh")
    return exported("box", psnr=None, mesh=tmp_path)


def test_a_mesh_is_offered_as_a_file_where_there_is_no_quick_look(with_mesh, shown):
    assert {path.name for path in with_mesh.folder.glob("mesh.*")} == {"mesh.glb", "mesh.usdz"}
    page = shown(with_mesh.page, viewport={"width": 390, "height": 500})
    link = page.locator("#mesh")
    assert [link.get_attribute(name) for name in ("href", "download", "rel")] == ["mesh.glb", "mesh.glb", None]
    assert page.locator("#mesh img").bounding_box()["height"] > 30
    page.keyboard.press("?")
    assert '<model-viewer src="mesh.glb" ios-src="mesh.usdz"' in page.locator("#snippet").text_content()


def test_a_browser_with_quick_look_gets_the_usdz(with_mesh, shown, tampered):
    apple = "DOMTokenList.prototype.supports = (token) => token === 'ar'"
    text = tampered(with_mesh.page, lambda t: t.replace("<title>", f"<script>{apple}</script><title>", 1))
    link = shown(text, viewport={"width": 390, "height": 500}).locator("#mesh")
    assert [link.get_attribute(name) for name in ("href", "rel")] == ["mesh.usdz", "ar"]
    assert link.locator("> *").count() == link.locator("> img").count() == 1, "Quick Look takes an image alone"


def test_a_page_without_a_mesh_offers_none(exported, shown):
    assert shown(exported().page, viewport={"width": 200, "height": 300}).locator("#mesh").count() == 0


def test_a_folder_that_is_no_mesh_export_is_named(tmp_path):
    with pytest.raises(UserError, match=r"mesh\.glb"):
        copy_models(tmp_path, tmp_path)


def test_a_bench_names_what_drew_the_images(exported):
    browser = find_chromium() or pytest.skip("no Chromium here")
    speed = page_speed(page_of(exported().folder), browser, 0.2)
    assert not isinstance(speed, str), speed
    assert "SwiftShader" in speed.device or "ANGLE" in speed.device
    assert (speed.width, speed.height) == (exported().model.cameras.width, exported().model.cameras.height)
    assert speed.images >= 1
