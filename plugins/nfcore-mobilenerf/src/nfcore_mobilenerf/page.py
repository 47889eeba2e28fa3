"""The page: one HTML file with the polygons, the shaders and the viewer."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from nfcore.viewer import GLSL, fill_shader, pack_bytes, shader_network, shader_numbers, viewer_page
from nfcore_mobilenerf.page_data import HEADER, Header, Layer, PageData

_FRONT = files("nfcore_mobilenerf") / "front"
_MODULES = ("rasterizer", "unpack")
_SHADERS = {
    "texels-vertex": "texels.vert",
    "texels-fragment": "texels.frag",
    "network-vertex": "network.vert",
    "network-fragment": "network.frag",
}
_ABOUT = (
    "The image is computed here, on your graphics processor, from polygons that were fitted to photos; a small "
    "network gives each pixel its colour."
)


def build_page(card: Mapping[str, Any], data: PageData) -> str:
    """Return the page's HTML for the viewer's ``card``."""
    shaders = {name: shader(file, data.header).encode() for name, file in _SHADERS.items()}
    return viewer_page(
        {**card, HEADER: data.header.model_dump(mode="json")},
        script=_front("polygons.js"),
        modules={name: _front(f"{name}.js") for name in _MODULES},
        data={
            **{name: base64.b64encode(text).decode() for name, text in shaders.items()},
            **{name: pack_bytes(block) for name, block in data.blocks.items()},
        },
        about=_ABOUT,
    )


def shader(file: str, header: Header) -> str:
    """Return a shader of ``front/`` with the scene's constants and network in place of its lines ``//: NAME``."""
    background = f"const vec3 BACKGROUND = vec3({shader_numbers(header.scene.background)});"
    return fill_shader(_front(file), {"constants": [background], "network": _network(header.network)})


def _network(layers: list[Layer]) -> Iterator[str]:
    """Yield the body of ``network(features0, features1, direction)``, which returns RGB."""
    parts = [(np.array(layer.weight), np.array(layer.bias)) for layer in layers]
    result = yield from shader_network(parts, ["features0", "features1", "direction"], GLSL)
    yield f"  return 1.0 / (1.0 + exp(-{result}.rgb));"


def _front(name: str) -> str:
    return (_FRONT / name).read_text(encoding="utf-8")
