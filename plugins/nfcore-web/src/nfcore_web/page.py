"""The page: one HTML file with model, runtime and viewer; and reading the model from it."""

from __future__ import annotations

import base64
import functools
import json
import lzma
from importlib.resources import files
from typing import Any

from nfcore import UserError
from nfcore.viewer import read_element, viewer_page
from nfcore_web.model import Model

_PACKAGE = files("nfcore_web")
#: The page's own files.
FRONT = _PACKAGE / "front"
#: Bytes of a page, and of each part of its model when unpacked, at most.
MOST_PAGE = 1 << 30
_ABOUT = "The image is computed here, by a network that knows the views it was trained on."


def build_page(card: dict[str, Any], model: Model) -> str:
    """Return the page's HTML.

    Args:
        card: the viewer's data on the student: title, sizes, intrinsics, background, region.
        model: the graphs, in the order of the card's sizes.

    Raises:
        UserError: this installation lacks the browser runtime.

    """
    versions = json.loads(runtime("prepared.json"))["versions"]
    packed = {f"graph-{index}": _packed(graph) for index, graph in enumerate(model.graphs)}
    return viewer_page(
        card,
        script=text("light_field.js"),
        modules={"draw": text("draw.js")},
        data={
            "engine": _base64(text("engine.js").encode()),
            "xz": _base64(runtime("xz.js")),
            "ort": _base64(runtime("ort.mjs")),
            "wasm": _base64(runtime("ort.wasm.xz")),
            **packed,
            "weights": _packed(model.weights),
        },
        about=_ABOUT,
        credits=f"ONNX Runtime Web {versions['onnxruntime-web']}, xz-decompress {versions['xz-decompress']} "
        "(both MIT).",
        notices=_PACKAGE.joinpath("THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8"),
        script_sources=("'wasm-unsafe-eval'",),
    )


def model_of(page: str, name: str) -> tuple[dict[str, Any], Model]:
    """Return the card and the model in a page's HTML; ``name`` is the file's, for errors.

    Raises:
        UserError: it is no such page, or damaged.

    """
    try:
        card: dict[str, Any] = json.loads(read_element(page, "card"))
        graphs = tuple(_unpacked(read_element(page, f"graph-{index}")) for index in range(len(card["sizes"])))
        return card, Model(graphs, _unpacked(read_element(page, "weights")))
    except (LookupError, ValueError, TypeError, lzma.LZMAError):
        raise UserError(f"{name}: not a page of the web exporter, or damaged") from None


def text(name: str) -> str:
    """Return a file of ``front/``."""
    return (FRONT / name).read_text(encoding="utf-8")


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


def _packed(data: bytes) -> str:
    return _base64(lzma.compress(data, check=lzma.CHECK_CRC32, preset=6))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpacked(packed: str) -> bytes:
    """Return what was packed; a few bytes may claim to be gigabytes."""
    unpacker = lzma.LZMADecompressor()
    data = unpacker.decompress(base64.b64decode(packed, validate=True), MOST_PAGE)
    if not unpacker.eof:
        raise ValueError("it is cut short, or larger than a page's model may be")
    return data
