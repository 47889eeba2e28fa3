"""The page: one HTML file with model, runtime and viewer; and reading the model from it."""

from __future__ import annotations

import base64
import functools
import json
import lzma
import re
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jinja2

from nfcore import UserError
from nfcore_web.model import Model

_PACKAGE = files("nfcore_web")
# Modules that the viewer imports by name; an import map has their text, so that the page is self-contained.
_MODULES = ("camera", "data", "draw")


def build_page(card: dict[str, Any], model: Model) -> str:
    """Return the page's HTML.

    Args:
        card: the viewer's data on the student: title, sizes, intrinsics, background, region.
        model: the graphs, in the order of the card's sizes.

    Raises:
        UserError: this installation lacks the browser runtime.

    """
    return template("viewer.html").render(
        card=_json(card),
        style=text("viewer.css"),
        modules=_json({"imports": {f"nfcore/{name}": _module(f"{name}.js") for name in _MODULES}}),
        script=text("viewer.js"),
        engine=_packed(text("engine.js").encode(), compress=False),
        ort=_packed(runtime("ort.mjs"), compress=False),
        xz=_packed(runtime("xz.js"), compress=False),
        wasm=base64.b64encode(runtime("ort.wasm.xz")).decode(),
        graphs=[_packed(graph) for graph in model.graphs],
        weights=_packed(model.weights),
        versions=json.loads(runtime("prepared.json"))["versions"],
        background=css_colour(card["background"]),
        dark=_luminance(card["background"]) < 0.5,
    )


def model_of(page: str, name: str) -> tuple[dict[str, Any], Model]:
    """Return the card and the model in a page's HTML; ``name`` is the file's, for errors.

    Raises:
        UserError: it is no such page, or damaged.

    """
    try:
        card: dict[str, Any] = json.loads(_element(page, "card"))
        graphs = tuple(_unpacked(_element(page, f"graph-{index}")) for index in range(len(card["sizes"])))
        return card, Model(graphs, _unpacked(_element(page, "weights")))
    except (LookupError, ValueError, TypeError, lzma.LZMAError):
        raise UserError(f"{name}: not a page of the web exporter, or damaged") from None


def template(name: str) -> jinja2.Template:
    """Return a template of ``front/``; values are escaped unless marked as safe."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def text(name: str) -> str:
    """Return a file of ``front/``."""
    return (_PACKAGE / "front" / name).read_text(encoding="utf-8")


@functools.cache
def runtime(name: str) -> bytes:
    """Return a file of ``runtime/``, which the build adds.

    Raises:
        UserError: the plugin was installed without it.

    """
    try:
        return (_PACKAGE / "runtime" / name).read_bytes()
    except FileNotFoundError:
        raise UserError(
            "nfcore-web was installed without its browser runtime, which comes with npm: "
            "install Node.js, then 'pip install' the plugin again"
        ) from None


def css_colour(rgb: list[float] | tuple[float, ...]) -> str:
    """Return an RGB colour in [0, 1] as ``#rrggbb``."""
    return "#" + "".join(f"{round(255 * min(max(value, 0), 1)):02x}" for value in rgb)


def _luminance(rgb: list[float]) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def _json(value: Any) -> str:
    """Return JSON that is safe in a script element: nothing in it can end the element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _module(name: str) -> str:
    return "data:text/javascript;charset=utf-8," + quote(text(name), safe="!~*'();/?:@&=+$,[] \"{}")


def _packed(data: bytes, *, compress: bool = True) -> str:
    if compress:
        data = lzma.compress(data, check=lzma.CHECK_CRC32, preset=6)
    return base64.b64encode(data).decode()


def _unpacked(packed: str) -> bytes:
    return lzma.decompress(base64.b64decode(packed, validate=True))


def _element(page: str, name: str) -> str:
    found = re.search(rf'<script [^>]*\bid="{re.escape(name)}"[^>]*>(.*?)</script>', page, re.DOTALL)
    if found is None:
        raise LookupError(name)
    return found[1].strip()
