"""A real Chromium, exported pages in it, and what it said and asked for meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import nfcore
from nfcore import Cameras, LightField, Scene
from nfcore.testing import tiny_student

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Callable[..., Any]]:
    """Start a browser with more flags; each combination is started once."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    candidates = [os.environ.get("NFCORE_CHROMIUM"), *map(shutil.which, NAMES)]
    executable = next((path for path in candidates if path), None)
    if executable is None:
        pytest.skip(f"no Chromium here: none of {', '.join(NAMES)} is on the PATH")
    started: dict[tuple[str, ...], Any] = {}
    with sync_api.sync_playwright() as playwright:

        def start(*flags: str) -> Any:
            if flags not in started:
                started[flags] = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])
            return started[flags]

        yield start
        for browser in started.values():
            browser.close()


@pytest.fixture
def opened(chromium: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Open an address; at the end nothing may have been complained of or asked of a network.

    ``page.complaints`` and ``page.asked`` hold what was: a test that provokes some clears them.
    """
    pages = []

    def open_(url: str | Path, *flags: str, **context: Any) -> Any:
        page = chromium(*flags).new_context(**context).new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda m: m.type in ("error", "warning") and page.complaints.append(m.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("websocket", lambda socket: page.asked.append(socket.url))
        pages.append(page)
        page.goto(url.as_uri() if isinstance(url, Path) else url)
        return page

    yield open_
    for page in pages:
        complaints, foreign = page.complaints, [url for url in page.asked if not is_local(url)]
        page.context.close()
        assert not complaints
        assert not foreign


def is_local(url: str) -> bool:
    return url.startswith(("file:", "blob:", "data:", "http://127.0.0.1:"))


def settled(page: Any) -> Any:
    """Wait until the page shows a picture."""
    page.locator("#frame.shown").wait_for(timeout=60_000)
    return page


@pytest.fixture
def shown(opened: Callable[..., Any]) -> Callable[..., Any]:
    """Open a page and wait for its first picture."""
    return lambda *arguments, **context: settled(opened(*arguments, **context))


def make(kind: str) -> LightField:
    """A student with an uneven picture: of an object, or of a scene that is seen from one side."""
    torch.manual_seed(0)
    if kind == "even":  # the same colour everywhere, so that it is right at any size
        return with_contrast(tiny_student(height=24, width=16), 0)
    if kind == "object":
        return with_contrast(tiny_student(height=24, width=16), 6)
    scene = Scene(near=2, far=9, box=((-4, -4, -9), (4, 4, 1)), forward_facing=True)
    student = with_contrast(tiny_student(height=24, width=16, scene=scene), 6)
    places = torch.tensor([[-0.3, 0, 0], [0.3, 0.2, 0.1], [0, -0.2, -0.1], [0, 0, 0]])
    poses = torch.cat([torch.eye(3).expand(4, 3, 3), places[:, :, None]], 2)
    student.cameras = Cameras(poses, student.cameras.intrinsics[:1].expand(4, 4), 24, 16)
    return student


@torch.no_grad()
def with_contrast(student: LightField, gain: float) -> LightField:
    """The student with its last convolution's weights times ``gain``."""
    last = [part for part in student.upsampler.modules() if isinstance(part, nn.Conv2d)][-1]
    last.weight *= gain
    assert gain == 0 or student.render(student.cameras).std() > 0.1, "a wrong picture would not show"
    return student


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SimpleNamespace]:
    """A student and its page, exported once for each combination of options."""
    made: dict[tuple[object, ...], SimpleNamespace] = {}

    def export(kind: str = "object", **options: object) -> SimpleNamespace:
        key = (kind, *options.items())
        if key not in made:
            student, folder = make(kind), tmp_path_factory.mktemp("web")
            exporter = nfcore.plugins().build("exporter", "nfcore-web/web", options)
            exporter.export(student, folder)
            made[key] = SimpleNamespace(
                student=student, folder=folder, exporter=exporter, page=folder / "light_field.html"
            )
        return made[key]

    return export


@pytest.fixture(scope="session")
def violations() -> Callable[[Any], list[str]]:
    """What axe-core finds wrong with a page."""
    axe = HERE / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not here: nfcore-web was installed without npm")
    source = axe.read_text(encoding="utf-8")

    def find(page: Any) -> list[str]:
        page.evaluate(source)
        found = page.evaluate("axe.run().then(({violations}) => violations)")
        return [f"{v['id']}: {v['help']}: {[node['target'] for node in v['nodes']]}" for v in found]

    return find
