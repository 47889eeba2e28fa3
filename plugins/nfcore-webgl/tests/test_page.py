"""The page in a real Chromium: its pixels, its controls, and what it says where something is missing."""

from __future__ import annotations

import io
import re
from pathlib import Path

import bakeable
import pytest
import torch
from browser import SOFTWARE
from PIL import Image

from nfcore import Cameras

pytestmark = pytest.mark.slow

WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan", SOFTWARE)
READ = "question => lightField.alone(() => lightField.renderer.pixels(question)).then(Array.from)"


def psnr(a, b):
    return float(-10 * (a - b).square().mean().clamp_min(1e-14).log10())


@pytest.fixture
def failed(opened):
    """Open a page and return why it shows nothing."""

    def open_(page, *flags):
        found = opened(page, *(flags or (SOFTWARE,)))
        found.locator("#failure").wait_for(timeout=60_000)
        assert found.locator("#controls button:enabled").count() == 0
        found.complaints.clear()
        return found.locator("#reason").inner_text()

    return open_


def rendered(page, camera, script=READ, **more):
    question = {
        "pose": camera.poses.flatten().tolist(),
        "intrinsics": camera.intrinsics.flatten().tolist(),
        "width": camera.width,
        "height": camera.height,
    }
    bytes_ = torch.tensor(page.evaluate(script, question | more), dtype=torch.float32)
    return bytes_.view(camera.height, camera.width, 4)[None, :, :, :3].permute(0, 3, 1, 2) / 255


def wait_until(page, condition):
    """Wait for a condition in JavaScript; the page's policy forbids playwright's own way, which evaluates text."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {condition}")


def in_blocks(page):
    return page.replace("64 * 2 ** 20", "0")


@pytest.mark.parametrize("kind", bakeable.SCENES)
@pytest.mark.parametrize("layout", ["dense", "blocks"])
def test_its_pixels_are_those_of_torch_and_of_the_8_bit_data(exported, shown, tampered, kind, layout):
    export = exported(kind, psnr=None)
    page = shown(export.page if layout == "dense" else tampered(export.page, in_blocks))
    assert page.evaluate("lightField.renderer.scene.layout.blocks === null") == (layout == "dense")
    runner = export.exporter.load(export.folder)
    for index in range(3):
        camera = export.model.cameras[index]
        pixels = rendered(page, camera)
        assert psnr(pixels, runner.render(camera.poses, camera.intrinsics)) > 55
        assert psnr(pixels, export.model.render(camera)) > 50


@pytest.mark.parametrize("kind", bakeable.SCENES)
@pytest.mark.parametrize("layout", ["dense", "blocks"])
def test_the_shader_for_webgpu_draws_the_same(exported, opened, tampered, kind, layout):
    export = exported(kind, psnr=None)
    page = opened(export.page if layout == "dense" else tampered(export.page, in_blocks), *WEBGPU)
    page.locator("#frame.shown").wait_for(timeout=60_000)
    if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
        pytest.skip("this browser offers no WebGPU adapter")
    shader = (export.folder / "field" / "field.wgsl").read_text()
    camera = export.model.cameras[0]
    pixels = rendered(page, camera, (Path(__file__).parent / "webgpu.js").read_text(), wgsl=shader)
    assert psnr(pixels, export.model.render(camera)) > 50
    page.complaints.clear()  # a GPU in software is warned of


def test_fifteen_values_are_four_textures(exported, shown):
    export = exported("box", 15, psnr=None)
    camera = export.model.cameras[0]
    assert psnr(rendered(shown(export.page), camera), export.model.render(camera)) > 50


@pytest.mark.parametrize(("viewport", "ratio"), [((640, 400), 1), ((195, 422), 2)])
def test_it_draws_every_pixel_of_the_window(exported, shown, viewport, ratio):
    width, height = viewport
    page = shown(exported().page, viewport={"width": width, "height": height}, device_scale_factor=ratio)
    stage = page.locator("#stage").bounding_box()
    canvas = page.evaluate("(({width, height}) => [width, height])(document.getElementById('picture'))")
    assert canvas == pytest.approx([stage["width"] * ratio, stage["height"] * ratio], abs=1)
    wait_until(page, "lightField.renderer.gpu.image.width === document.getElementById('picture').width")


def test_a_page_that_is_loaded_hidden_fills_its_window_once_it_is_shown(exported, opened, tmp_path):
    outside = tmp_path / "outside.html"
    style = "width: 300px; height: 300px; display: none"
    outside.write_text(f'<!doctype html><iframe src="{exported().page.as_uri()}" style="{style}"></iframe>')
    page = opened(outside, SOFTWARE)
    inside = page.frame_locator("iframe")
    page.wait_for_timeout(1000)
    page.evaluate("document.querySelector('iframe').style.display = 'block'")
    inside.locator("#frame.shown").wait_for(timeout=60_000)
    for _ in range(200):
        if inside.locator("#picture").bounding_box()["width"] > 250:
            break
        page.wait_for_timeout(50)
    assert inside.locator("#picture").bounding_box()["width"] > 250
    page.complaints.clear()


def test_a_scene_with_surroundings_keeps_the_sides_of_its_photos(exported, shown):
    page = shown(exported("ndc", psnr=None).page, viewport={"width": 640, "height": 400})
    canvas = page.locator("#picture").bounding_box()
    assert canvas["width"] / canvas["height"] == pytest.approx(bakeable.WIDTH / bakeable.HEIGHT, rel=0.02)


def test_it_saves_what_it_shows_at_the_screens_resolution(exported, shown):
    export = exported()
    page = shown(export.page, viewport={"width": 160, "height": 320})
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "A-ball.png"
    still = Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGB")
    width, height = still.size
    question = f"lightField.renderer.intrinsics({{width: {width}, height: {height}}}, lightField.camera.part)"
    pose = torch.tensor(page.evaluate("lightField.camera.pose")).view(1, 3, 4)
    seen = Cameras(pose, torch.tensor([page.evaluate(question)]), height, width)
    saved = torch.tensor(list(still.get_flattened_data()), dtype=torch.float32).view(1, height, width, 3) / 255
    assert psnr(saved.permute(0, 3, 1, 2), export.model.render(seen)) > 45


def test_a_smaller_image_is_drawn_while_moving_where_that_is_too_slow(exported, shown):
    page = shown(exported().page, viewport={"width": 300, "height": 300})
    page.evaluate("lightField.renderer.slow = 0")
    page.keyboard.press("t")
    wait_until(page, "lightField.renderer.gpu.image.width < document.getElementById('picture').width")
    page.keyboard.press("t")
    wait_until(page, "lightField.renderer.gpu.image.width === document.getElementById('picture').width")


def test_a_magnified_part_is_drawn_in_full_resolution(exported, shown):
    page = shown(exported().page, viewport={"width": 200, "height": 300})
    ask = "lightField.renderer.intrinsics({width: 200, height: 220}, lightField.camera.part)"
    before = page.evaluate(ask)
    page.evaluate("lightField.camera.zoomBy(10)")
    assert page.evaluate(ask)[0] == pytest.approx(4 * before[0])


def test_a_lost_graphics_processor_is_told_and_the_image_returns(exported, shown):
    export = exported()
    page = shown(export.page)
    page.evaluate(
        "globalThis.losing = lightField.renderer.gpu.gl.getExtension('WEBGL_lose_context'); losing.loseContext()"
    )
    page.locator("#failure").wait_for()
    assert "graphics processor" in page.locator("#reason").inner_text()
    assert "reload" in page.locator("#reason").inner_text()
    page.evaluate("losing.restoreContext()")
    page.locator("#failure").wait_for(state="hidden")
    camera = export.model.cameras[0]
    assert psnr(rendered(page, camera), export.model.render(camera)) > 45
    page.complaints.clear()  # the browser warns of the loss


def test_without_webgl2_it_says_what_to_do(exported, failed):
    reason = failed(exported().page, "--disable-3d-apis")
    assert "WebGL2" in reason
    assert "graphics acceleration" in reason


def test_a_browser_that_cannot_inflate_is_told_which_can(exported, failed, tampered):
    without = tampered(
        exported().page,
        lambda t: t.replace("<title>", "<script>delete globalThis.DecompressionStream</script><title>"),
    )
    reason = failed(without)
    assert "too old" in reason
    assert "Safari 16.4" in reason


def test_textures_that_the_device_can_not_hold_are_told_with_what_would_fit(exported, failed, tampered):
    small = (
        "const own = WebGL2RenderingContext.prototype.getParameter; WebGL2RenderingContext.prototype."
        "getParameter = function (name) { return name === this.MAX_3D_TEXTURE_SIZE ? 8 : own.call(this, name); };"
    )
    reason = failed(
        tampered(exported().page, lambda t: t.replace("<title>", f"<script>{small}</script><title>", 1))
    )
    assert "8 texels" in reason
    assert "lower resolution" in reason


@pytest.mark.parametrize("block", ["codes", "occupied", "distances"])
def test_data_that_is_cut_short_is_named(exported, failed, tampered, block):
    pattern = re.compile(f'id="{block}">([^<]*)<')

    def cut(text):
        data = pattern.search(text)[1]
        return text.replace(data, data[: len(data) // 2 // 4 * 4])

    reason = failed(tampered(exported().page, cut))
    assert f'"{block}"' in reason
    assert "again" in reason


def test_a_card_that_is_cut_short_is_told(exported, failed, tampered):
    reason = failed(tampered(exported().page, lambda t: re.sub(r'(id="card">.{60})[^<]*', r"\1", t)))
    assert "damaged" in reason
