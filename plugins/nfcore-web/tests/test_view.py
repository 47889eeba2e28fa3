"""``nfcore view``: a real run in a real browser, finished and unfinished."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import nfcore
from nfcore import ExportedFile, LightField, UserError, VerificationUnavailable
from nfcore.config import configure
from nfcore.exports import Manifest
from nfcore.pipeline import Reference, export
from nfcore.runs import Run, execute
from nfcore.runs import open as open_run
from nfcore_web.progress import progress
from nfcore_web.site import Site

pytestmark = pytest.mark.slow

NFCORE = [sys.executable, "-c", "from nfcore.cli import main; main()"]


def test_a_run_ends_with_the_command_that_shows_it(ran):
    folder, printed = ran
    assert printed.splitlines()[-1].endswith(f"nfcore view {folder}")


@pytest.fixture(scope="module")
def site(run) -> Site:
    """The finished run's site, with all that it makes; in a thread, as the command makes it."""
    site = Site(run.folder)
    thread = threading.Thread(target=site.work)
    thread.start()
    thread.join()
    assert site.problem is None
    return site


def test_the_viewer_runs_isolated_with_threads(site, served, opened):
    page = opened(served(site) + "viewer.html#backend=wasm")
    page.locator("#frame.shown").wait_for(timeout=60_000)
    assert page.evaluate("crossOriginIsolated")
    assert page.evaluate("lightField.renderer.backend.threads") == min(4, os.cpu_count() or 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_tab(site, served, opened, violations, scheme):
    page = opened(served(site), color_scheme=scheme)
    page.frame_locator("#viewer iframe").locator("#frame.shown").wait_for(timeout=60_000)
    for tab in ("viewer", "report", "progress"):
        page.click(f"#tab-{tab}")
        assert violations(page) == []


def test_a_finished_run_shows_its_results_and_its_report(site, run, served, opened):
    page = opened(served(site) + "#progress")
    summary = json.loads((run.folder / "summary.json").read_text())
    page.locator("#figures").wait_for()
    assert page.locator("#figures").inner_text().split("\n")[:4] == [
        "Student", f"{summary['student.test.psnr']:.2f} dB", "Teacher", f"{summary['teacher.test.psnr']:.2f} dB",
    ]  # fmt: skip
    width = page.evaluate("document.getElementById('curve').viewBox.baseVal.width")
    assert width == page.evaluate("document.getElementById('curve').clientWidth")
    page.click("#tab-report")
    views = page.frame_locator("#report iframe").locator(".view")
    views.first.wait_for()
    assert views.first.locator("option").count() > 0


def test_a_run_without_a_report_says_so(run, tmp_path, served, opened):
    (tmp_path / "config.toml").write_bytes((run.folder / "config.toml").read_bytes())
    site = Site(tmp_path)
    assert site.find("/report.html") is None
    page = opened(served(site) + "#report")
    page.locator("#no-report").wait_for()
    assert page.locator("#report iframe").count() == 0


def test_only_pictures_of_the_run_are_found(site, run):
    (run.folder / "secret.png").write_bytes(b"secret")
    shown = [path.name for path in (run.folder / "previews").glob("*.png")]
    assert shown
    assert all(site.find(f"/previews/{name}") for name in shown)
    for path in (
        "/previews/../secret.png",
        "/previews/secret.png",
        "/config.toml",
        "/student.safetensors",
    ):
        assert site.find(path) is None, path


class Page(nfcore.Exporter):
    """Writes a page that says one word."""

    tolerance = nfcore.Tolerance(psnr=40)

    def export(self, model, folder):
        (folder / "page.html").write_text("<p>exported before</p>")
        return nfcore.Exported((ExportedFile.camera_to_image("page.html", model.cameras),), "none", "a page")

    def load(self, folder, threads=None):
        raise VerificationUnavailable("it is no picture")


class TeachersPage(Page):
    takes = "teacher"


@pytest.fixture
def with_page(run, tmp_path) -> Path:
    """The folder of a run that has exported a page of its student."""
    folder = tmp_path / "short"
    shutil.copytree(run.folder, folder)
    reference = Reference(LightField.load(run.student_file), file=run.student_file, photos="none")
    export(reference, Page(Page.Options()), folder / "exports" / "page")
    return folder


def test_an_exported_page_of_this_student_is_shown_as_it_is(with_page):
    folder = with_page
    site = Site(folder)
    site.work()
    assert site.find("/viewer.html").data == b"<p>exported before</p>"
    manifest = folder / "exports" / "page" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(Manifest.read(manifest.parent).model.sha256, "0" * 64))
    site = Site(folder)  # the page is one of another student
    site.work()
    assert b"lightField" in site.find("/viewer.html").data


def test_a_run_without_a_student_shows_the_page_that_its_teacher_was_exported_to(teacher_run):
    site = Site(teacher_run)
    site.work()
    assert (site.viewer, site.problem) == (None, None)
    run = open_run(teacher_run)
    export(run.export_reference("teacher"), TeachersPage(Page.Options()), run.run.exports_folder / "page")
    site = Site(teacher_run)
    site.work()
    assert site.find("/viewer.html").data == b"<p>exported before</p>"


@pytest.fixture
def teacher_run(tmp_path) -> Path:
    """A short run of the recipe ``field``."""
    changes = ["image_size=32", "teach.steps=30", "teacher.resolution=16", "scene.test_views=2"]
    execute(tmp_path / "field", configure("field", nfcore.plugins(), changes=changes))
    return tmp_path / "field"


def test_a_student_alone_has_a_viewer_and_no_more(run):
    site = Site(run.student_file)
    site.work()
    state = site.state()
    assert (state["viewer"], state["progress"], state["problem"]) == (True, None, None)


def test_a_student_that_cannot_be_shown_is_a_line_on_the_page(tmp_path):
    path = tmp_path / "student.safetensors"
    path.write_bytes(b"nothing")
    site = Site(path)
    site.work()
    assert str(path) in site.state()["problem"]


def test_no_run_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="no run here"):
        Site(tmp_path / "nothing")


def a_new_run(folder):
    return Run.create(folder / "new", configure("quickstart", nfcore.plugins()), resume=False)


def test_progress_of_a_folder_without_reports_is_empty(tmp_path):
    assert progress(a_new_run(tmp_path)) == {
        "stage": None, "step": None, "psnr": None, "idle": None, "finished": [], "curves": {}, "previews": [],
        "results": {}, "report": False, "problem": None,
    }  # fmt: skip


def test_a_long_log_becomes_a_short_curve(tmp_path):
    lines = [json.dumps({"stage": "teach", "step": step, "psnr": 20.0}) for step in range(1, 5001)]
    new = a_new_run(tmp_path)
    (new.folder / "metrics.jsonl").write_text("\n".join(lines) + "\n[1]\nnull\n{\n")
    curve = progress(new)["curves"]["teach"]
    assert 100 <= len(curve) <= 400
    assert curve[0] == [1, 20.0]


def test_a_damaged_run_never_silences_the_page(tmp_path):
    """Whatever is in its files, the state is JSON as browsers read it, which NaN is not."""
    new = a_new_run(tmp_path)
    rows = ['{"stage": "teach", "step": 1, "psnr": NaN}', '{"stage": ["teach"], "step": 2, "psnr": Infinity}']
    rows += ['{"stage": "teach", "step": %s}' % ("9" * 5000), '{"stage": "teach", "step": 3, "psnr": 21}']
    (new.folder / "metrics.jsonl").write_text("\n".join([*rows, ""]))
    (new.folder / "state").mkdir(exist_ok=True)
    (new.folder / "state" / "results.json").write_text('{"teach": {"psnr": NaN}}')
    (new.folder / "summary.json").write_text('{"student.test.psnr": NaN}')
    state = progress(Run(new.folder))
    assert json.loads(json.dumps(state, allow_nan=False))["step"] == 3
    assert "results.json" in state["problem"]


def test_the_command_serves_until_it_is_interrupted(with_page):
    command = [*NFCORE, "view", str(with_page), "--no-browser"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    try:
        line = process.stdout.readline()
        assert line.endswith("/ shows short; Ctrl-C ends it\n")
        url = line.split()[0]
        state: dict[str, Any] = {}
        for _ in range(300):
            state = json.loads(urllib.request.urlopen(url + "state.json", timeout=10).read())
            if state["viewer"]:
                break
            time.sleep(0.2)
        assert state["viewer"]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def test_the_command_comes_without_torch():
    code = "import sys, nfcore; nfcore.plugins(); import nfcore_web; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
