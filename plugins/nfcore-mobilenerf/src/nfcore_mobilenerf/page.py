"""The page: one HTML file with the polygons, the shaders and the viewer."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from nfcore.viewer import pack_bytes, viewer_page
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
    background = f"const vec3 BACKGROUND = vec3({_floats(header.scene.background)});\n"
    text = _front(file).replace("//: constants\n", background)
    return text.replace("//: network\n", "".join(f"{line}\n" for line in _network(header.network)))


def _network(layers: list[Layer]) -> Iterator[str]:
    """Yield the body of ``network(features0, features1, direction)``, which returns RGB."""
    inputs = ["features0", "features1", "direction"]
    for number, layer in enumerate(layers):
        weight, bias = np.array(layer.weight), np.array(layer.bias)
        weight = np.pad(weight, ((0, -len(bias) % 4), (0, 4 * len(inputs) - weight.shape[1])))
        bias = np.pad(bias, (0, -len(bias) % 4))
        outputs = []
        for row in range(0, len(bias), 4):
            terms = [f"vec4({_floats(bias[row : row + 4])})"]
            for i, name in enumerate(inputs):
                part = weight[row : row + 4, 4 * i : 4 * i + 4].T.ravel()  # column by column
                terms.append(f"mat4({_floats(part)}) * {name}")
            value = " + ".join(terms)
            outputs.append(f"layer{number}_{row // 4}")
            yield f"  vec4 {outputs[-1]} = {value if number + 1 == len(layers) else f'max({value}, vec4(0.0))'};"
        inputs = outputs
    yield f"  return 1.0 / (1.0 + exp(-{inputs[0]}.rgb));"


def _front(name: str) -> str:
    return (_FRONT / name).read_text(encoding="utf-8")


def _floats(numbers: Iterable[float]) -> str:
    return ", ".join(map(_float, numbers))


def _float(number: float) -> str:
    text = f"{float(number):.9g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"
