"""The pictures in docs/images: ``python docs/screenshots.py RUN`` looks at a finished run in headless Chromium."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from nfcore_web.server import Server
from nfcore_web.site import Site

IMAGES = Path(__file__).parent / "images"


def main(run: Path) -> None:
    """Write the viewer on a desktop and on a phone, the comparison, the progress and the report of ``run``."""
    site = Site(run, views=4)
    site.work()
    with Server(site.find) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        viewer = f"{server.url}viewer.html#backend=wasm"
        _viewer(_page(browser, 1200, 760), viewer).screenshot(path=IMAGES / "viewer.png")
        phone = _viewer(_page(browser, 390, 780, ratio=2), viewer)
        phone.click("#adjust")
        phone.wait_for_timeout(300)
        phone.screenshot(path=IMAGES / "viewer-phone.png")
        page = _page(browser, 1200, 760)
        page.goto(server.url)
        page.click("#tab-compare")
        page.locator("#comparison").wait_for()
        page.select_option("#right", "student-error")
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / "compare.png")
        page.click("#tab-progress")
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / "progress.png")
        report_pictures(browser, run / "report.html")
        browser.close()
        server.shutdown()


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
    main(Path(sys.argv[1]))
