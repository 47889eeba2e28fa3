"""The pictures in docs/images: ``make pictures`` does the quickstart in a terminal, and looks at it in a browser.

``python docs/screenshots.py RUN`` looks at a run that is finished, and leaves the terminal's picture as it is.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from terminal import screen_after

from nfcore_web.server import Server
from nfcore_web.site import Site

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Write all pictures of a new run, or those of a run that is given."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if len(sys.argv) > 1:
            run = Path(sys.argv[1])
        else:
            run = Path(folder) / "runs" / "quickstart"
            terminal_picture(browser, Path(folder))
        run_pictures(browser, run)
        browser.close()


def terminal_picture(browser: Browser, folder: Path) -> None:
    """Do the quickstart in a terminal in ``folder``, and write its last screen."""
    nfcore = str(Path(sys.executable).with_name("nfcore"))
    page = browser.new_page(device_scale_factor=1.5)
    page.set_content(screen_after([nfcore, "run", "quickstart"], folder, "nfcore run quickstart"))
    page.locator("body").screenshot(path=IMAGES / "terminal.png")


def run_pictures(browser: Browser, run: Path) -> None:
    """Write the viewer on a desktop and on a phone, the progress and the report of ``run``."""
    site = Site(run)
    site.work()
    with Server(site.find) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        viewer = f"{server.url}viewer.html#backend=wasm"
        _viewer(_page(browser, 1200, 760), viewer).screenshot(path=IMAGES / "viewer.png")
        phone = _viewer(_page(browser, 390, 780, ratio=2), viewer)
        phone.click("#adjust")
        phone.wait_for_timeout(300)
        phone.screenshot(path=IMAGES / "viewer-phone.png")
        page = _page(browser, 1200, 760)
        page.goto(server.url)
        page.click("#tab-progress")
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / "progress.png")
        server.shutdown()
    report_pictures(browser, run / "report.html")


def report_pictures(browser: Browser, report: Path) -> None:
    """Write the report on a desktop, with a map of the student's errors, and on a phone."""
    page = _page(browser, 1200, 1060)
    page.goto(report.resolve().as_uri())
    page.locator(".view select.right").nth(1).select_option("student-error")
    page.screenshot(path=IMAGES / "report.png")
    phone = _page(browser, 390, 1120, ratio=2)
    phone.goto(report.resolve().as_uri())
    phone.screenshot(path=IMAGES / "report-phone.png")


def _page(browser: Browser, width: int, height: int, ratio: int = 1) -> Page:
    return browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=ratio)


def _viewer(page: Page, url: str) -> Page:
    """Open the viewer and wait until the picture of the place where the camera went is there."""
    page.goto(url)
    page.locator("#frame.shown").wait_for()
    for key in ("ArrowRight",) * 5 + ("ArrowUp",) * 2:
        page.keyboard.press(key)
    page.wait_for_timeout(2500)
    return page


if __name__ == "__main__":
    main()
