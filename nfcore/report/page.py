"""The page of the report: one self-contained HTML file, with its style, script and pictures."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from nfcore.evaluation.error_maps import COLOURS, GREATEST_ERROR
from nfcore.io.templates import html_template
from nfcore.report.contents import Contents
from nfcore.report.figures import day, duration

_FILES = files("nfcore.report")


def build_page(contents: Contents) -> str:
    """Return the report's HTML. Text from a run is escaped, and only the page's own script can run."""
    template = html_template(_FILES, "report.html", {"duration": duration, "day": day})
    script = _text("report.js")
    return template.render(
        report=contents,
        style=_text("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        error_colours=[f"rgb({red} {green} {blue})" for red, green, blue in COLOURS],
        greatest_error=GREATEST_ERROR,
    )


def _text(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")
