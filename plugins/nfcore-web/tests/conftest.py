"""Exported pages in a real Chromium."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from browser import accessibility_violations, chromium, opened  # noqa: F401 - fixtures
from torch import nn

import nfcore
from nfcore import Cameras, LightField, Scene
from nfcore.runs import Run
from nfcore.testing import tiny_student
from nfcore_web.server import Server
from nfcore_web.site import Site

HERE = Path(__file__).parent
NFCORE = [sys.executable, "-c", "from nfcore.cli import main; main()"]
FEW_STEPS = ["image_size=48", "teach.steps=60", "distill.steps=30", "distill.views=16", "finetune.steps=5"]
SMALL = ["student.width=16", "student.depth=4", "student.resolution=16", "scene.test_views=4"]


def settled(page: Any) -> Any:
    """Wait until the page shows a picture."""
    page.locator("#frame.shown").wait_for(timeout=60_000)
    return page


@pytest.fixture
def shown(opened: Callable[..., Any]) -> Callable[..., Any]:  # noqa: F811
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


@pytest.fixture
def violations() -> Callable[[Any], list[str]]:
    """What axe-core finds wrong with a page."""
    return lambda page: accessibility_violations(page, HERE / "axe.min.js")


@pytest.fixture
def tampered(tmp_path: Path) -> Callable[[Path, str, Callable[[str], str]], Path]:
    """A page with one of its script elements changed."""

    def change_element(page: Path, name: str, change: Callable[[str], str]) -> Path:
        text = page.read_text(encoding="utf-8")
        (found,) = re.findall(rf'id="{name}">([^<]*)<', text)
        path = tmp_path / "tampered.html"
        path.write_text(text.replace(found, change(found)), encoding="utf-8")
        return path

    return change_element


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a short quickstart without exports, and what it printed."""
    runs = tmp_path_factory.mktemp("runs")
    changes = [part for change in FEW_STEPS + SMALL for part in ("--set", change)]
    options = ["--export", "", "--runs", str(runs), "--name", "short", "--threads", "1", "--quiet"]
    command = [*NFCORE, "run", "quickstart", *changes, *options]
    return runs / "short", subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def run(ran: tuple[Path, str]) -> Run:
    """The run in it."""
    return Run(ran[0])


@pytest.fixture
def served() -> Iterator[Callable[[Site], str]]:
    """Serve a site and give its address."""
    servers = []

    def serve(site: Site) -> str:
        server = Server(site.find)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append((server, site))
        return server.url

    yield serve
    for server, site in servers:
        site.close()
        server.shutdown()
        server.server_close()
