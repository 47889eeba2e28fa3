"""What is made of the page's saved views, and which controls have something to do, in a real Chromium."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from PIL import Image

from nfcore.scene.camera_paths import read_path

pytestmark = pytest.mark.slow

WINDOW = {"width": 200, "height": 320}
# The canvas as it shows an image of a quarter of its sides, and the image in full.
ENLARGED = """async () => {
  const { renderer, camera, alone } = lightField;
  const shown = (share) => alone(async () => {
    const size = { width: renderer.size.width * share, height: renderer.size.height * share };
    await renderer.pixels({ pose: camera.pose, intrinsics: renderer.intrinsics(size, camera.part), ...size });
    renderer.gpu.present();
    const { gl, canvas } = renderer.gpu;
    const pixels = new Uint8Array(4 * canvas.width * canvas.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    return Array.from(pixels);
  });
  return [await shown(0.25), await shown(1), renderer.size.height];
}"""

# What the corner says of the speed, from the first image on.
TELLING = """
globalThis.told = [];
addEventListener("DOMContentLoaded", () => {
  const corner = document.getElementById("speed");
  const observer = new MutationObserver(() => told.push(corner.innerText));
  observer.observe(corner, { attributes: true, childList: true, characterData: true, subtree: true });
});
"""


def starting_with(script):
    return lambda page: page.replace("<title>", f"<script>{script}</script><title>", 1)


def psnr(a, b):
    return float(-10 * (a - b).square().mean().clamp_min(1e-14).log10())


def picture(image):
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).float() / 255


def add_two_views(page):
    page.click("#views")
    page.click("#add")
    page.locator("#saved li").first.wait_for()
    page.evaluate("lightField.camera.move(0.3, 0.1)")
    page.click("#add")
    page.locator("#saved li").nth(1).wait_for()


def downloaded(page, button):
    with page.expect_download(timeout=120_000) as download:
        page.click(button)
    return download.value


def test_saved_views_become_a_video_a_path_file_and_stay(exported, shown, tmp_path):
    export = exported()
    page = shown(export.page, viewport=WINDOW)
    add_two_views(page)
    page.locator("#seconds").fill("2")
    page.locator("#loop").uncheck()

    download = downloaded(page, "#record")
    assert download.suggested_filename == "A-ball.webm"
    with av.open(str(download.path())) as video:
        frames = [picture(frame.to_image()) for frame in video.decode(video=0)]
        assert video.duration / av.time_base == pytest.approx(2, abs=0.05)
    assert len(frames) == 60
    assert min(frame.mean() for frame in frames) > 0.5, "none is empty"

    downloaded(page, "#path").save_as(tmp_path / "path.json")
    path = read_path(tmp_path / "path.json")
    assert (len(path.poses), path.fps) == (60, 30)
    views = page.evaluate("JSON.parse(Object.values(localStorage)[0]).map(({view}) => view)")
    for view, pose in zip(views, (path.poses[0], path.poses[-1]), strict=True):
        own = page.evaluate("view => { lightField.camera.view = view; return lightField.camera.pose; }", view)
        assert pose.flatten().tolist() == pytest.approx(own, abs=1e-5)

    with_torch = export.model.render(path.cameras(export.model.cameras)[30])
    middle = Image.fromarray((frames[30].numpy() * 255).astype(np.uint8))
    photo = export.model.cameras
    width, height = middle.size  # the photo fits in by its height
    left = (width - height * photo.width / photo.height) / 2
    seen = picture(middle.resize((photo.width, photo.height), box=(left, 0, width - left, height)))
    assert psnr(seen, with_torch[0].permute(1, 2, 0)) > 25

    page.reload()
    page.locator("#frame.shown").wait_for(timeout=60_000)
    page.click("#views")
    assert page.locator("#saved li").count() == 2
    page.locator('#saved [data-drop="1"]').first.click()
    assert page.locator("#record").is_disabled(), "one view is no path"


def test_a_browser_without_codecs_records_what_it_plays(exported, shown, tampered):
    page = shown(tampered(exported().page, starting_with("delete globalThis.VideoEncoder")), viewport=WINDOW)
    page.click("#views")
    page.locator("#seconds").fill("2")
    with av.open(str(downloaded(page, "#record").path())) as video:
        assert sum(1 for _ in video.decode(video=0)) > 3


def test_controls_are_offered_while_they_have_something_to_do(exported, shown):
    page = shown(exported().page, viewport={"width": 640, "height": 400})
    enabled = {name: page.locator(f"#{name}").is_enabled for name in ("reset", "farther", "nearer")}
    assert not enabled["reset"]()
    page.evaluate("lightField.camera.zoomBy(-100)")
    page.keyboard.press("ArrowRight")
    assert {name: on() for name, on in enabled.items()} == {"reset": True, "farther": False, "nearer": True}
    page.evaluate("lightField.camera.zoomBy(100)")
    page.keyboard.press("ArrowRight")
    assert {name: on() for name, on in enabled.items()} == {"reset": True, "farther": True, "nearer": False}
    page.keyboard.press("0")
    assert not enabled["reset"]()
    page.keyboard.press("f")
    page.locator('#screen[aria-pressed="true"]').wait_for()
    assert page.evaluate("document.fullscreenElement === document.documentElement")


def test_the_snippet_to_embed_leads_to_the_same_view(exported, shown, tmp_path):
    page = shown(exported().page, viewport=WINDOW)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("?")
    (tmp_path / "outside.html").write_text(f"<!doctype html>{page.locator('#snippet').text_content()}")
    (tmp_path / "baked_field.html").write_bytes(exported().page.read_bytes())
    outside = shown_inside(page.context.new_page(), tmp_path / "outside.html")
    view = outside.evaluate("lightField.camera.view")
    assert view == pytest.approx(page.evaluate("lightField.camera.view"), abs=1e-3)


def shown_inside(page, path):
    page.goto(path.as_uri())
    page.frame_locator("iframe").locator("#frame.shown").wait_for(timeout=60_000)
    return page.frames[1]


def test_an_image_of_a_smaller_size_is_enlarged_smoothly(exported, shown):
    page = shown(exported().page, viewport=WINDOW)
    enlarged, full, height = page.evaluate(ENLARGED)
    as_image = lambda pixels: torch.tensor(pixels, dtype=torch.float32).view(height, -1, 4)[..., :3] / 255  # noqa: E731
    enlarged, full = as_image(enlarged), as_image(full)
    small = torch.nn.functional.avg_pool2d(full.permute(2, 0, 1)[None], 4)
    bilinear = torch.nn.functional.interpolate(small, full.shape[:2], mode="bilinear")[0].permute(1, 2, 0)
    assert psnr(enlarged, full) > psnr(bilinear, full)


def test_the_time_of_an_image_is_told_once_the_page_is_warm(exported, shown, tampered):
    page = shown(tampered(exported().page, starting_with(TELLING)), viewport=WINDOW)
    page.keyboard.press("ArrowLeft")
    page.locator("#speed b:not(:empty)").wait_for()
    told = page.evaluate("told")
    assert " ms" not in told[0]
    assert any(" ms" in corner for corner in told)
