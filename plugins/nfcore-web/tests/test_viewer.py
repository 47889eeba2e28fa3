"""The exported page in a real browser: pictures, hands and keys, borders, and what goes wrong."""

from __future__ import annotations

import base64
import io
import json
import math
import re

import pytest
import torch
from PIL import Image

from nfcore import Cameras, OrbitRegion

pytestmark = pytest.mark.slow

# The image as the student made it, before it is enlarged.
OWN_IMAGE = """() => {
  const { picture } = lightField.renderer.screen;
  return Array.from(picture.getContext("2d").getImageData(0, 0, picture.width, picture.height).data);
}"""
GPU_IN_SOFTWARE = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a - b).square().mean().clamp_min(1e-20).log10())


def rendered(page, camera: Cameras, size: int = 0) -> torch.Tensor:
    """The page's own picture (1, 3, h, w) from a camera, as float32."""
    question = {"pose": camera.poses.flatten().tolist(), "intrinsics": camera.intrinsics.flatten().tolist()}
    values = page.evaluate(
        "question => lightField.renderer.compute(question).then(({pixels}) => Array.from(pixels))",
        question | {"size": size, "raw": True},
    )
    return torch.tensor(values).reshape(1, 3, camera.height, camera.width)


def shown_values(page) -> list[float]:
    """The values of the image that the page's camera sees."""
    own = "lightField.renderer.compute({pose: lightField.camera.pose, raw: true})"
    return page.evaluate(f"{own}.then(({{pixels}}) => Array.from(pixels))")


def pose(page) -> torch.Tensor:
    return torch.tensor(page.evaluate("lightField.camera.pose")).reshape(3, 4)


def state(page, name: str) -> float:
    return page.evaluate(f"lightField.camera.{name}")


def drag(page, dx: float, dy: float, button: str = "left") -> None:
    """Drag from the middle of the picture by a share of its width and height."""
    box = page.locator("#picture").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + dx * box["width"], y + dy * box["height"], steps=4)
    page.mouse.up(button=button)


@pytest.mark.parametrize(("weights", "least"), [("fp32", 80), ("fp16", 50)])
def test_its_pictures_are_torchs(exported, shown, weights, least):
    export = exported(weights=weights)
    page = shown(f"{export.page.as_uri()}#backend=wasm")
    for index in range(3):
        camera = export.student.cameras[index]
        assert psnr(rendered(page, camera), export.student.render(camera)) >= least


@pytest.mark.parametrize("kind", ["object", "one-sided"])
def test_it_shows_what_torch_shows_from_where_it_starts(exported, shown, kind):
    export = exported(kind)
    page = shown(export.page)
    start = Cameras(pose(page)[None], export.student.cameras.intrinsics.mean(0)[None], 24, 16)
    expected = (255 * export.student.render(start)[0].permute(1, 2, 0)).round()
    own = page.evaluate(OWN_IMAGE)
    assert (torch.tensor(own, dtype=torch.float32).reshape(24, 16, 4)[..., :3] - expected).abs().max() <= 1
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "Neural-light-field.png"
    still = Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGB")
    width, height = page.evaluate("(({width, height}) => [width, height])(document.getElementById('picture'))")
    assert still.size == (width, height), "as it is seen on the screen"
    reduced = torch.tensor(list(still.resize((16, 24), Image.Resampling.BOX).get_flattened_data()))
    assert psnr(reduced.reshape(24, 16, 3) / 255, expected / 255) > 25


def test_its_poses_are_those_of_the_orbit_region(exported, shown):
    export = exported()
    page = shown(export.page)
    shell = OrbitRegion.around(export.student.cameras)
    for azimuth, height, radius in ((0.3, 0.1, 0.5), (2.0, 0.8, 0.0), (5.5, 0.4, 1.0)):
        low, high = shell.height
        sine = low + height * (high - low)
        distance = shell.radius[0] + radius * (shell.radius[1] - shell.radius[0])
        page.evaluate(
            "([azimuth, height, r]) => Object.assign("
            "lightField.camera, {azimuth, height, zoom: Math.log(lightField.camera.first / r)})",
            [azimuth, sine, distance],
        )
        expected = shell.poses(*(torch.tensor([value]) for value in (azimuth, sine, distance)))[0]
        assert torch.allclose(pose(page), expected, atol=1e-4)


def test_a_drag_across_the_picture_is_half_a_turn_to_the_other_side(exported, shown):
    page = shown(exported().page)
    before, azimuth = shown_values(page), state(page, "azimuth")
    drag(page, 0.25, 0)
    moved = (azimuth - state(page, "azimuth")) % (2 * math.pi)
    assert moved == pytest.approx(math.pi / 4, abs=0.03)
    assert before != shown_values(page)


def test_dragging_down_lifts_the_camera_until_the_border_and_a_hint_says_so(exported, shown):
    page = shown(exported().page)
    drag(page, 0, 0.02)
    assert state(page, "height") > page.evaluate("lightField.card.region.start.height")
    drag(page, 0, 0.49)
    drag(page, 0, 0.49)
    assert state(page, "height") == pytest.approx(page.evaluate("lightField.card.region.height[1]"))
    assert page.locator("#hint.shown").inner_text() == "There are no photos from beyond here"
    assert page.locator("#borders .met").evaluate_all("all => all.map(i => i.dataset.side)") == ["top"]
    page.locator("#hint:not(.shown)").wait_for()


def test_the_wheel_comes_nearer_only_as_far_as_was_learned_and_then_magnifies(exported, shown):
    page = shown(exported().page)
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    for _ in range(40):
        page.mouse.wheel(0, -120)
    page.locator("#hint.shown").wait_for()
    region = page.evaluate("lightField.card.region")
    distance = (pose(page)[:, 3] - torch.tensor(region["target"])).norm()
    assert float(distance) == pytest.approx(region["radius"][0], rel=1e-4)
    assert state(page, "magnified") == pytest.approx(4)
    page.keyboard.down("Shift")
    drag(page, 0.5, 0)
    page.keyboard.up("Shift")
    assert state(page, "part.left") == pytest.approx(0.375 - 0.125, abs=0.01), "half of the quarter that is seen"


def test_keys_alone_do_everything(exported, shown):
    page = shown(exported().page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picture"
    azimuth = state(page, "azimuth")
    page.keyboard.press("ArrowRight")
    assert (state(page, "azimuth") - azimuth) % (2 * math.pi) == pytest.approx(math.pi / 24, abs=1e-6)
    page.keyboard.press("+")
    assert state(page, "zoom") > 0
    page.keyboard.press("0")
    assert state(page, "zoom") == 0
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    # At the start there is nothing to reset, and this camera starts where it is farthest.
    assert reached == ["turn", "nearer", "save", "views", "adjust", "screen", "ask"]
    page.keyboard.press("Enter")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("c")
    page.locator("#slider-0").focus()
    value = state(page, "azimuth")
    page.keyboard.press("ArrowRight")
    assert state(page, "azimuth") != value
    with page.expect_download():
        page.locator("#picture").focus()
        page.keyboard.press("s")


def test_it_turns_by_itself_only_when_asked(exported, shown):
    page = shown(exported().page)
    azimuth = state(page, "azimuth")
    page.wait_for_timeout(300)
    assert state(page, "azimuth") == azimuth
    page.keyboard.press("t")
    assert page.locator("#turn").get_attribute("aria-pressed") == "true"
    page.wait_for_timeout(600)
    assert state(page, "azimuth") != azimuth
    drag(page, 0.1, 0)
    assert page.locator("#turn").get_attribute("aria-pressed") == "false", "a hand takes over"


def test_fingers_turn_and_pinch(exported, shown):
    page = shown(exported().page, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    devtools = page.context.new_cdp_session(page)
    box = page.locator("#picture").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    azimuth = state(page, "azimuth")
    touch("touchStart", (x, y))
    touch("touchMove", (x + box["width"] / 4, y))
    touch("touchEnd")
    assert (azimuth - state(page, "azimuth")) % (2 * math.pi) == pytest.approx(math.pi / 4, abs=0.05)
    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 80, y), (x + 80, y))
    touch("touchEnd")
    assert state(page, "zoom") == pytest.approx(math.log(2), abs=0.05)


def test_a_scene_seen_from_one_side_is_moved_through_its_box(exported, shown):
    page = shown(exported("one-sided").page)
    region = page.evaluate("lightField.card.region")
    assert region["kind"] == "box"
    drag(page, -0.25, 0)
    width = region["high"][0] - region["low"][0]
    assert state(page, "place[0]") == pytest.approx(width / 4, rel=0.05)
    drag(page, -0.45, 0)
    drag(page, -0.45, 0)
    assert state(page, "place[0]") == pytest.approx(region["high"][0])
    assert page.locator("#borders .met").evaluate_all("all => all.map(i => i.dataset.side)") == ["right"]
    focus = torch.tensor(region["centre"]) - torch.tensor(region["axes"][2]) * region["focus"]
    looks = -pose(page)[:, 2]
    ahead = torch.nn.functional.normalize(focus - pose(page)[:, 3], dim=0)
    assert float(looks @ ahead) == pytest.approx(1, abs=1e-5)


def test_a_size_at_which_the_student_is_right_is_there_for_moving(exported, shown):
    export = exported("even", sizes=2)
    page = shown(export.page)
    assert page.evaluate("lightField.card.sizes") == [{"width": 16, "height": 24}, {"width": 8, "height": 12}]
    own = export.student.cameras[0]
    half = Cameras(own.poses, own.intrinsics / 2, 12, 8)
    assert psnr(rendered(page, half, size=1), export.student.render(half)) >= 50


def test_a_size_at_which_the_student_is_wrong_is_left_out(exported):
    text = exported(sizes=2).page.read_text(encoding="utf-8")
    card = json.loads(re.search(r'id="card">([^<]*)<', text)[1])
    assert card["sizes"] == [{"width": 16, "height": 24}]


def test_a_browser_that_cannot_suspend_webassembly_shows_the_same(exported, shown, tampered):
    def without(engine: str) -> str:
        text = base64.b64decode(engine).decode()
        removed = "delete WebAssembly.Suspending; delete WebAssembly.promising;\n" + text
        return base64.b64encode(removed.encode()).decode()

    export = exported()
    page = shown(tampered(export.page, "engine", without))
    assert page.evaluate("lightField.renderer.backend.backend") == "wasm"
    camera = export.student.cameras[0]
    assert psnr(rendered(page, camera), export.student.render(camera)) >= 50


def test_webgpu_shows_the_same_where_the_browser_has_it(exported, opened, shown):
    export = exported()
    page = opened(f"{export.page.as_uri()}#backend=webgpu", *GPU_IN_SOFTWARE)
    if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
        pytest.skip("this browser offers no WebGPU adapter")
    page.locator("#frame.shown").wait_for(timeout=60_000)
    assert page.evaluate("lightField.renderer.backend.backend") == "webgpu"
    camera = export.student.cameras[0]
    assert psnr(rendered(page, camera), export.student.render(camera)) >= 40
    page.complaints.clear()  # a GPU in software is warned of
