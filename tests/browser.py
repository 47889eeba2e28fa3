"""A real Chromium for tests of pages: pytest fixtures that start it, and that fail a page which complains.

A conftest takes them by importing them. They need playwright, and any Chromium or Chrome on the PATH or the one
that ``NFCORE_CHROMIUM`` names; tests are skipped with a message without one.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# What playwright turns off itself, which another list replaces, and the address bar's pop-ups: a new Chromium has
# two in each window. They are pages that nobody sees here and that took half of a test's time.
_OFF = (
    "AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,"
    "HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,LensOverlay,MediaRouter,NetworkTimeServiceQuerying,"
    "OptimizationHints,PaintHolding,PreconnectToSearch,TcpPortRandomizationWin,ThirdPartyStoragePartitioning,"
    "WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,WebUIOmniboxPopup"
)
# WebAssembly runs a moment here: what it gives does not depend on the compiler, and the quick one is enough.
_FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={_OFF}",
    "--js-flags=--liftoff-only",
]
#: The window of a test that asks for none: drawn in software, a pixel costs as much as it does on a screen.
_WINDOW = {"width": 640, "height": 400}
#: Flag for pages that draw with WebGL2, which a machine without a graphics processor draws in software.
SOFTWARE = "--enable-unsafe-swiftshader"
# Chromium's driver in software remarks that reading an image waits for it.
_WAITED = re.compile("GPU stall due to ReadPixels")
_LOCAL = ("about:", "file:", "blob:", "data:", "http://127.0.0.1:")


@pytest.fixture(scope="session")
def chromium() -> Callable[..., Any]:
    """Start a browser with more flags; each combination is started once."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    candidates = [os.environ.get("NFCORE_CHROMIUM"), *map(shutil.which, _NAMES)]
    executable = next((path for path in candidates if path), None)
    if executable is None:
        pytest.skip(f"no Chromium here: none of {', '.join(_NAMES)} is on the PATH")
    playwright = _playwright()

    @functools.cache
    def start(*flags: str) -> Any:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_FLAGS, *flags])
        browser.shared_contexts = {}
        return browser

    return start


@functools.cache
def _playwright() -> Any:
    """Start what drives browsers, once in a process: several conftests may offer these fixtures."""
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    atexit.register(playwright.stop)  # ends its browsers too
    return playwright


@pytest.fixture
def opened(chromium: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Open an address; at the end nothing may have been complained of or asked of a network.

    ``page.complaints`` and ``page.asked`` hold what was: a test that provokes some clears them.
    """
    pages = []

    def open_(url: str | Path, *flags: str, viewport: Any = _WINDOW, **options: Any) -> Any:
        page = _context(chromium(*flags), options).new_page()
        page.set_viewport_size(viewport)
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
        page.wait_for_timeout(50)
    for context in {page.context for page in pages}:
        _leave(context)
    for page in pages:
        complaints = [text for text in page.complaints if not _WAITED.search(text)]
        foreign = [url for url in page.asked if not url.startswith(_LOCAL)]
        assert complaints == [], complaints
        assert foreign == [], foreign


def _context(browser: Any, options: dict[str, Any]) -> Any:
    """Return the browser's context with these options: all tests share it, since a new one is a new window."""
    key = tuple(sorted(options.items()))
    if key not in browser.shared_contexts:
        browser.shared_contexts[key] = browser.new_context(viewport=_WINDOW, **options)
    return browser.shared_contexts[key]


def _leave(context: Any) -> None:
    """Close a context's pages, and forget what they stored."""
    if context.pages:
        session = context.new_cdp_session(context.pages[0])
        session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    for page in context.pages:
        page.close()


@pytest.fixture
def shown(opened: Callable[..., Any]) -> Callable[..., Any]:
    """Open a page that draws with WebGL2, and wait for its first image."""

    def open_(path: Path, **context: Any) -> Any:
        page = opened(path, SOFTWARE, **context)
        page.locator("#frame.shown, #failure:not([hidden])").first.wait_for(timeout=60_000)
        assert page.locator("#reason").inner_text() == ""
        return page

    return open_


def accessibility_violations(page: Any, axe: Path) -> list[str]:
    """Return what axe-core finds wrong with a page; ``axe`` is its script, and the test is skipped without it."""
    if not axe.is_file():
        pytest.skip("axe-core is not here: nfcore-web was installed without npm")
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    return [f"{v['id']}: {v['help']}: {[node['target'] for node in v['nodes']]}" for v in found]
