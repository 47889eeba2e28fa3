"""The speed of pages in a browser, which is a script here; Chromium itself is in nfcore-webgl's tests."""

from __future__ import annotations

import os

import pytest
import tiny
from tiny_sizes import package

from nfcore import UserError
from nfcore.measuring.bench import Quality, bench
from nfcore.measuring.pages import find_chromium, page_of, page_speed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the browser is a shell script"),
]

ANSWER = (
    '[1:INFO:CONSOLE(9)] "nfcore bench: {\\"device\\":\\"ANGLE (SwiftShader)\\",\\"images\\":50,\\"seconds\\":2.5,'
    '\\"width\\":16,\\"height\\":24}", source: x'
)


@pytest.fixture
def browser(tmp_path):
    """Make a browser that prints lines on its standard error, and how it was called into a file."""

    def make(*lines):
        script = tmp_path / "browser"
        printed = "\n".join(f"cat >&2 <<'END'\n{line}\nEND" for line in lines)
        script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n{printed}\n')
        script.chmod(0o755)
        return str(script)

    return make


class Meter:
    name = "a meter"

    def __init__(self):
        self.asked = 0

    def joules(self):
        self.asked += 1
        return 10.0 * self.asked

    def close(self):
        pass


def test_a_page_says_how_many_images_it_computed_and_on_what(browser, tmp_path):
    lines = ("[1:INFO] noise", '[1:INFO:CONSOLE(5)] "nfcore bench: begins", source: x', ANSWER)
    speed = page_speed(tmp_path / "page.html", browser(*lines), 2.5, Meter())
    assert (speed.images, speed.seconds, speed.width, speed.height) == (50, 2.5, 16, 24)
    assert speed.device == "ANGLE (SwiftShader)"
    assert speed.joules == pytest.approx(10)
    assert f"{(tmp_path / 'page.html').as_uri()}#bench=2.5" in (tmp_path / "called").read_text()


def test_a_browser_that_says_nothing_is_a_reason(browser, tmp_path):
    assert "browser" in page_speed(tmp_path / "page.html", browser("[1:ERROR] no display"), 0.1)


def test_only_pages_with_the_viewer_are_timed(tmp_path):
    (tmp_path / "a.html").write_text("<p>another</p>")
    assert page_of(tmp_path) is None
    (tmp_path / "b.html").write_text('{"imports":{"nfcore/bench":"data:"}}')
    assert page_of(tmp_path) == tmp_path / "b.html"
    os.mkfifo(tmp_path / "0.html")
    with pytest.raises(UserError, match="pipe"):
        page_of(tmp_path)


def test_the_browser_is_the_one_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("NFCORE_CHROMIUM", "/opt/browser")
    assert find_chromium() == "/opt/browser"


def test_a_bench_has_a_row_for_each_page_with_its_images_a_second(browser, tmp_path):
    page = package(tmp_path, "page", timed=False)
    (page.folder / "page.html").write_text('{"imports":{"nfcore/bench":"data:"}}')
    begins = '[1:INFO:CONSOLE(5)] "nfcore bench: begins", source: x'
    found = bench(
        {"student": tiny.student()}, [page], {page.label: Quality(30.0)}, threads=[1], seconds=0.01, memory=False,
        browser=browser(begins, ANSWER),
    )  # fmt: skip
    row = next(row for row in found.rows if row.label == page.label)
    assert (row.threads, row.rounds, row.milliseconds, row.psnr) == (None, 50, pytest.approx(50.0), 30.0)
    assert "20 images a second" in row.note
    assert "SwiftShader" in row.note
