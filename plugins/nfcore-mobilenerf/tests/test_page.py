"""The page in a real Chromium: its pixels, and what it says where something is missing."""

from __future__ import annotations

import re

import fitted
import pytest
import torch
from browser import SOFTWARE

pytestmark = pytest.mark.slow

READ = "question => lightField.alone(() => lightField.renderer.pixels(question)).then(Array.from)"


def rendered(page, camera):
    question = {
        "pose": camera.poses.flatten().tolist(),
        "intrinsics": camera.intrinsics.flatten().tolist(),
        "width": camera.width,
        "height": camera.height,
    }
    pixels = torch.tensor(page.evaluate(READ, question), dtype=torch.float32)
    return pixels.view(camera.height, camera.width, 4)[None, :, :, :3].permute(0, 3, 1, 2) / 255


def test_its_pixels_are_those_of_torch_near_and_far_and_large(page_folder, shown):
    page, model = shown(page_folder / "polygons.html"), fitted.model()
    for index in range(3):
        camera = model.cameras[index]
        assert fitted.psnr(rendered(page, camera), model.render(camera)) > 40
    large = model.cameras[0].resized(180, 120)
    assert fitted.psnr(rendered(page, large), model.render(large)) > 40


def test_it_draws_every_pixel_of_the_window(page_folder, shown):
    page = shown(page_folder / "polygons.html", viewport={"width": 195, "height": 422}, device_scale_factor=2)
    stage = page.locator("#stage").bounding_box()
    canvas = page.evaluate("(({width, height}) => [width, height])(document.getElementById('picture'))")
    assert canvas == pytest.approx([2 * stage["width"], 2 * stage["height"]], abs=1)


def test_a_lost_graphics_processor_is_told_and_the_image_returns(page_folder, shown):
    page, model = shown(page_folder / "polygons.html"), fitted.model()
    page.evaluate(
        "globalThis.losing = lightField.renderer.gpu.gl.getExtension('WEBGL_lose_context'); losing.loseContext()"
    )
    page.locator("#failure").wait_for()
    assert "graphics processor" in page.locator("#reason").inner_text()
    page.evaluate("losing.restoreContext()")
    page.locator("#failure").wait_for(state="hidden")
    camera = model.cameras[0]
    assert fitted.psnr(rendered(page, camera), model.render(camera)) > 40
    page.complaints.clear()  # the browser warns of the loss


@pytest.mark.parametrize("block", ["vertices", "corners", "features"])
def test_data_that_is_cut_short_is_named(page_folder, opened, tmp_path, block):
    text = (page_folder / "polygons.html").read_text()
    data = re.search(f'id="{block}">([^<]*)<', text)[1]
    (tmp_path / "cut.html").write_text(text.replace(data, data[: len(data) // 2 // 4 * 4]))
    page = opened(tmp_path / "cut.html", SOFTWARE)
    page.locator("#failure").wait_for(timeout=60_000)
    assert f'"{block}"' in page.locator("#reason").inner_text()
    page.complaints.clear()
