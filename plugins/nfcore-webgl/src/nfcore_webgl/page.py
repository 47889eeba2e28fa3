"""The page: one HTML file with the archive, the shaders and the viewer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from nfcore.viewer import pack_bytes, viewer_page
from nfcore_webgl.archive import HEADER, Archive
from nfcore_webgl.shaders import fragment_shader, front, vertex_shader

_MODULES = ("gpu", "room", "unpack")
_ABOUT = "The image is computed here, on your graphics processor, from a field that was fitted to photos."


def build_page(card: Mapping[str, Any], archive: Archive) -> str:
    """Return the page's HTML for the viewer's ``card``."""
    header = archive.header
    shaders = {"vertex": vertex_shader(), "fragment": fragment_shader(header)}
    return viewer_page(
        {**card, HEADER: header.model_dump(mode="json")},
        script=front("baked_field.js"),
        modules={name: front(f"{name}.js") for name in _MODULES},
        data={
            **{name: base64.b64encode(text.encode()).decode() for name, text in shaders.items()},
            **{name: pack_bytes(data) for name, data in archive.blocks.items()},
        },
        about=_ABOUT,
    )
