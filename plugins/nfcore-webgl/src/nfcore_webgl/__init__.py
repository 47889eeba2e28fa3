"""Baked fields in a browser: an exporter of fitted teachers to one HTML file that WebGL2 draws in real time."""

from __future__ import annotations

from collections.abc import Iterator

import nfcore


@nfcore.hookimpl
def nfcore_components() -> Iterator[nfcore.Component]:
    """Offer the exporter."""
    yield nfcore.Component(
        "exporter",
        "webgl",
        "nfcore_webgl.exporter:WebGL",
        summary="One HTML file that draws a baked field in real time: WebGL2, no network",
        level=2,
    )
