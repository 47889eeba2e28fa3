"""The speed of an exported page in a real browser: how many images a second it computes, and on what."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfcore.io.files import read_file
from nfcore.measuring.energy import EnergyMeter

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
# A machine without a graphics processor draws in software, which Chromium's name of the device then says.
_FLAGS = (
    "--headless=new", "--enable-logging=stderr", "--log-level=0", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--mute-audio",
)  # fmt: skip
_LARGEST = 1 << 30  # bytes of a page
# What is only in the viewer's pages: the module that times them.
_MARK = b'"nfcore/bench"'
#: Seconds that the browser and the page may take to start.
_PATIENCE = 120.0
# What the page logs (front/viewer.js); Chromium prints it with quotes escaped or not, depending on its version.
_SAID = re.compile(r"nfcore bench: (begins|\{.*?\})")


@dataclass(frozen=True)
class PageSpeed:
    """How quickly a page computes images.

    Args:
        device: what computes them, as the browser calls it.
        images: how many were computed, one after the other.
        seconds: how long that took.
        width: of an image, pixels.
        height: of an image, pixels.
        joules: that the processor took meanwhile, all its programs together; None if the machine does not tell.

    """

    device: str
    images: int
    seconds: float
    width: int
    height: int
    joules: float | None = None


def find_chromium() -> str | None:
    """Return the path of Chromium or a browser made of it: ``NFCORE_CHROMIUM``, or one on the PATH; or None."""
    return os.environ.get("NFCORE_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


def page_of(folder: Path) -> Path | None:
    """Return the page in a folder of exported files, if it has one that can be timed: with nfcore's viewer."""
    return next((page for page in sorted(folder.glob("*.html")) if _MARK in read_file(page, _LARGEST)), None)


def page_speed(page: Path, browser: str, seconds: float, meter: EnergyMeter | None = None) -> PageSpeed | str:
    """Let ``page`` compute images of the photos' size for some ``seconds``, or return why that failed.

    Args:
        page: from an exporter with nfcore's viewer.
        browser: Chromium's path.
        seconds: how long it computes.
        meter: measures the energy.

    """
    with tempfile.TemporaryDirectory(prefix="nfcore-browser-", ignore_cleanup_errors=True) as profile:
        sandbox = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
        address = f"{page.resolve().as_uri()}#bench={seconds:g}"
        command = [browser, *_FLAGS, *sandbox, f"--user-data-dir={profile}", address]
        process = subprocess.Popen(  # noqa: S603 - the user's browser
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        timer = threading.Timer(_PATIENCE + seconds, process.kill)
        timer.start()
        try:
            return _listen(process, meter)
        except (KeyError, ValueError):
            return "not timed: the page did not answer in the browser"
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def _listen(process: subprocess.Popen[str], meter: EnergyMeter | None) -> PageSpeed:
    """Wait for what the page says.

    Raises:
        KeyError, ValueError: it does not say it.

    """
    before = None
    for line in process.stderr or ():
        found = _SAID.search(line.replace('\\"', '"'))
        if found is None:
            continue
        if found[1] == "begins":
            before = meter.joules() if meter else None
            continue
        said: dict[str, Any] = json.loads(found[1])
        joules = None if before is None or meter is None else meter.joules() - before
        return PageSpeed(**said, joules=joules)
    raise ValueError("the browser ended")
