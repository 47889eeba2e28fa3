"""A report in a browser, and the commands that write it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny
from browser import accessibility_violations

from nfcore.runs import Artifacts, Run, write_report

pytestmark = pytest.mark.slow

AXE = Path(__file__).parents[1] / "plugins" / "nfcore-web" / "tests" / "axe.min.js"


@pytest.fixture
def run(finished, tmp_path) -> Artifacts:
    """A finished run of one's own."""
    shutil.copytree(finished, tmp_path / "tiny")
    return Artifacts(Run(tmp_path / "tiny"), tiny.manager())


# -- in a browser ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(run, opened, scheme, width):
    page = opened(write_report(run), color_scheme=scheme, viewport={"width": width, "height": 800})
    for summary in page.locator("summary").all():
        summary.click()
    page.check("#defaults")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert accessibility_violations(page, AXE) == []
    assert [url for url in page.asked if not url.startswith("data:")] == [page.url]


def test_the_line_is_moved_by_keys_and_pictures_are_chosen(run, opened):
    page = opened(write_report(run))
    view = page.locator(".view").first
    line = view.locator("input")
    line.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert line.get_attribute("aria-valuetext") == "55%"
    assert view.locator(".pair").evaluate("pair => pair.style.getPropertyValue('--at')") == "55%"

    def shown() -> dict[str, bool]:
        pictures = view.locator("img").all()
        visible = [picture for picture in pictures if picture.is_visible()]
        return {p.get_attribute("data-shows"): "over" in (p.get_attribute("class") or "") for p in visible}

    assert shown() == {"photo": False, "student": True}
    view.locator("select.left").select_option("teacher")
    view.locator("select.right").select_option("student-error")
    assert shown() == {"teacher": False, "student-error": True}
    view.locator("select.left").select_option("student-error")
    assert shown() == {"student-error": False}


def test_defaults_are_shown_when_asked_for(run, opened):
    page = opened(write_report(run))
    row = page.locator("#groups tr", has_text="device")
    assert not row.is_visible()
    page.check("#defaults")
    assert row.is_visible()


# -- the command -----------------------------------------------------------------------------------


def test_the_command_writes_it_where_it_is_told(finished, command, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.plugin.installed._make", lambda folders: tiny.manager())
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    done = command("report", finished, "--out", tmp_path / "mine.html", "--open", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"report: {tmp_path / 'mine.html'}\n"), done.stderr
    assert opened == [(tmp_path / "mine.html").as_uri()]
    assert not (finished / "report.html").exists()


def test_no_run_is_the_users_mistake(command, tmp_path):
    done = command("report", "nothing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no run here" in done.stderr


def test_a_run_ends_with_its_report_and_the_table_says_where_it_is(command, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.plugin.installed._make", lambda folders: tiny.manager())
    done = command("run", "tiny", "--name", "a", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report: runs/a/report.html" in done.stdout
    assert "nfcore run tiny --name a --quiet" in (tmp_path / "runs" / "a" / "report.html").read_text()


def test_a_report_that_fails_fails_no_run(command, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.plugin.installed._make", lambda folders: tiny.manager())
    monkeypatch.setattr("nfcore.runs.report.gather", lambda artifacts: 1 / 0)
    done = command("run", "tiny", "--name", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no report: ZeroDivisionError: division by zero" in done.stderr
    assert not (tmp_path / "runs" / "b" / "report.html").exists()
