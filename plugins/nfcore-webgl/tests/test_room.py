"""The page in immersive AR, on an emulated WebXR device in a real Chromium."""

from __future__ import annotations

import math
from pathlib import Path

import bakeable
import pytest
import torch

import nfcore
from nfcore import Cameras, FittedTeacher, Scene

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
IWER = HERE / "node_modules" / "iwer" / "build" / "iwer.min.js"
WINDOW = {"width": 120, "height": 120}
SURFACE = (0.4, 0.7, -1.0)
FIRST_EYE = torch.tensor([0.0, 1.6, 0.0])
# A device whose hit test finds one surface, if `surface` is one; sessions are kept for the test.
DEVICE = """
globalThis.device = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: false });
device.installRuntime({ forceInstall: true });
const surface = SURFACE;
if (surface) {
  device.installSEM(class {
    environmentCanvas = document.createElement("canvas");
    render() {}
    computeHitTestResults() { return [new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, ...surface, 1])]; }
  });
}
const request = navigator.xr.requestSession.bind(navigator.xr);
navigator.xr.requestSession = async (...wanted) => (globalThis.session = await request(...wanted));
"""
# What one frame shows, with the view that it is of.
FRAME = """async () => {
  const space = await session.requestReferenceSpace("local-floor");
  await new Promise((resolve) => session.requestAnimationFrame(resolve));
  return new Promise((resolve) => session.requestAnimationFrame((_, frame) => {
    const { gl } = lightField.renderer.gpu;
    const layer = session.renderState.baseLayer;
    const [view] = frame.getViewerPose(space).views;
    const { width, height } = layer.getViewport(view);
    const pixels = new Uint8Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const { matrix } = view.transform;
    resolve({ matrix: [...matrix], projection: [...view.projectionMatrix], pixels: [...pixels], width, height });
  }));
}"""


@pytest.fixture
def in_room(exported, opened):
    """Open the page on a device with AR and enter the room."""
    if not IWER.is_file():
        pytest.skip(f"'npm ci --prefix {HERE}' installs the emulated device")

    def open_(surface=None):
        page = opened("about:blank", "--enable-unsafe-swiftshader", viewport=WINDOW)
        wanted = "null" if surface is None else str(list(surface))
        page.add_init_script(IWER.read_text(encoding="utf-8") + DEVICE.replace("SURFACE", wanted))
        page.goto(exported("box", psnr=None).page.as_uri())
        page.locator("#frame.shown").wait_for(timeout=60_000)
        page.click("#room")
        page.locator("#place:not([hidden])").wait_for()
        return page

    return open_


def expected(page, frame, place, side):
    """The scene as torch shows it to the frame's view: standing at `place`, its front to the visitor, on black."""
    region, bounds = page.evaluate("[lightField.card.region, lightField.renderer.bounds]")
    up, east, north = (torch.tensor(region[name], dtype=torch.float32) for name in ("up", "east", "north"))
    azimuth = torch.tensor(region["start"]["azimuth"])
    front = torch.nn.functional.normalize(east * azimuth.cos() + north * azimuth.sin(), dim=0)
    low, high = torch.tensor(bounds["low"]), torch.tensor(bounds["high"])
    base = torch.stack([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])  # up is z
    matrix = torch.tensor(frame["matrix"]).view(4, 4).T
    to_visitor = torch.nn.functional.normalize((FIRST_EYE - place) * torch.tensor([1.0, 0.0, 1.0]), dim=0)
    vertical = torch.tensor([0.0, 1.0, 0.0])
    of_room = torch.stack([torch.linalg.cross(vertical, to_visitor), vertical, to_visitor], 1)
    of_scene = torch.stack([torch.linalg.cross(up, front), up, front], 1)
    turned = of_scene @ of_room.T
    position = base + turned @ (matrix[:3, 3] - place) * float((high - low).max()) / side
    pose = torch.cat([turned @ matrix[:3, :3], position[:, None]], 1)
    height, width = frame["height"], frame["width"]
    fx, fy = width / 2 * frame["projection"][0], height / 2 * frame["projection"][5]
    intrinsics = torch.tensor([[fx, fy, width / 2, height / 2]])
    own = bakeable.SCENES["box"]
    scene = Scene(near=own.near, far=own.far, box=own.box, background=(0, 0, 0))
    teacher = bakeable.Ball(nfcore.Options(), scene)
    return teacher, Cameras(pose[None], intrinsics, height, width)


def check(page, place, side):
    """Check a frame's pixels against torch's."""
    frame = page.evaluate(FRAME)
    teacher, cameras = expected(page, frame, torch.tensor(place), side)
    image = FittedTeacher(teacher, cameras).render(cameras)[0].permute(1, 2, 0)
    pixels = torch.tensor(frame["pixels"], dtype=torch.float32).view(frame["height"], frame["width"], 4)
    seen = pixels.flip(0)[..., :3] / 255
    assert image.max() > 0.3, "nothing to see"
    assert float(-10 * (seen - image).square().mean().log10()) > 30


def test_without_a_surface_the_scene_stands_on_the_floor_in_front_of_the_visitor(in_room):
    page = in_room()
    page.locator("#side").fill("0")
    assert page.locator("#place output").inner_text() == "1.0 m"
    check(page, (0.0, 0.0, -1.2), side=1.0)


def test_a_tap_puts_the_scene_down_on_a_surface_and_leaving_returns_to_the_page(in_room):
    page = in_room(SURFACE)
    page.locator("#side").fill("-0.5")
    side = math.exp(-0.5)
    check(page, SURFACE, side)
    page.evaluate("session.dispatchEvent(new Event('select'))")
    page.evaluate("device.position.set(0.3, 1.3, 0.1)")
    check(page, SURFACE, side)
    page.evaluate("document.getElementById('leave').click()")
    page.locator("#place").wait_for(state="hidden")
    page.keyboard.press("ArrowLeft")
    page.locator("#speed b:not(:empty)").wait_for()


def test_a_browser_without_ar_does_not_offer_it(exported, shown):
    assert shown(exported("box", psnr=None).page, viewport=WINDOW).locator("#room").count() == 0
