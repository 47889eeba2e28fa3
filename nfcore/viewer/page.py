"""A page of the viewer: one HTML file that opens from disk and needs no network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np

from nfcore.interfaces import SceneModel
from nfcore.io.templates import html_template
from nfcore.scene.cameras import Cameras
from nfcore.viewer.region import camera_region

_FRONT = files("nfcore.viewer") / "front"
# Imported by name, as "nfcore/camera": an import map has their text, so that the page is self-contained.
_MODULES = (
    "bench", "camera", "data", "film", "graphics", "input", "path", "screen", "sliders", "video", "viewer",
    "window",
)  # fmt: skip
# Characters that can't be in a script element as they are, and where they are instead.
_CHANGED, _ELSEWHERE = (0, 13, 60), 256
# Colour around images that fill their frame; an object without surroundings has its own background.
_SURROUNDINGS = (0.075, 0.08, 0.095)


def viewer_card(model: SceneModel, title: str, sizes: Sequence[Cameras]) -> dict[str, Any]:
    """Return what the viewer needs to know about ``model``; an exporter adds what its own renderer needs.

    Args:
        model: the student or the teacher.
        title: of the page.
        sizes: cameras of each image size that is offered, largest first.

    Returns:
        JSON values: ``title``; ``sizes``, each with ``width`` and ``height`` in pixels; ``intrinsics`` fx, fy, cx,
        cy of the first of them; ``region``, see ``camera_region``; ``background`` of the page, RGB in [0, 1]; and
        ``framed``, whether images have surroundings and therefore a frame.

    """
    scene = model.scene
    framed = scene.forward_facing or scene.unbounded
    return {
        "title": title,
        "sizes": [{"width": cameras.width, "height": cameras.height} for cameras in sizes],
        "intrinsics": sizes[0].intrinsics.mean(0).tolist(),
        "framed": framed,
        "background": list(_SURROUNDINGS if framed else scene.background),
        "region": camera_region(model),
    }


def viewer_page(
    card: Mapping[str, Any],
    *,
    script: str,
    about: str,
    modules: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    credits: str = "",
    notices: str = "",
    script_sources: Sequence[str] = (),
    connect_sources: Sequence[str] = (),
) -> str:
    """Return a page's HTML.

    Args:
        card: from ``viewer_card``, with what the page's own script needs.
        script: JavaScript, a module that calls ``view`` of ``nfcore/viewer`` with its renderer;
            ``front/viewer.js`` says what that has.
        about: a sentence for the help, on what computes the images.
        modules: text of more JavaScript modules, to be imported as ``nfcore/NAME``.
        data: text by element id: base64, which ``bytes`` of ``nfcore/data`` reads, or from ``pack_bytes``, which
            ``packed`` reads.
        credits: sentences on what else the page contains, and under which licence.
        notices: the texts of these licences, which the page must carry.
        script_sources: what a content security policy must allow scripts beyond inline ones.
        connect_sources: what scripts may load beyond what the page contains; nothing in a page that is exported.

    Raises:
        ValueError: text in ``data`` has a "<".

    """
    if marked := [name for name, text in (data or {}).items() if "<" in text]:
        raise ValueError(f"data of a page can't have markup: {', '.join(marked)}")
    own = {name: _front(f"{name}.js") for name in _MODULES}
    imports = {f"nfcore/{name}": _module(text) for name, text in (own | dict(modules or {})).items()}
    return html_template(_FRONT, "viewer.html").render(
        card=_json(card),
        style=_front("viewer.css"),
        modules=_json({"imports": imports}),
        script=script,
        data=dict(data or {}),
        about=about,
        credits=f"{credits} " if credits else "",
        notices=notices,
        script_sources="".join(f" {source}" for source in script_sources),
        connect_sources="".join(f" {source}" for source in connect_sources),
        background=css_colour(card["background"]),
        dark=_luminance(card["background"]) < 0.5,
    )


def read_element(page: str, name: str) -> str:
    """Return the text of the script element with the id ``name`` in a page's HTML.

    Raises:
        LookupError: there is none.

    """
    start = re.search(rf'<script [^<>]*\bid="{re.escape(name)}"[^<>]*>', page)
    end = -1 if start is None else page.find("</script>", start.end())
    if start is None or end < 0:
        raise LookupError(name)
    return page[start.end() : end]


def pack_bytes(data: bytes) -> str:
    """Return ``data`` as text for a page's script element, of 1.17 bytes a byte where base64 takes 1.33.

    A character has seven bits, highest first. Those that HTML changes or reads as markup (NUL, CR and "<") are 256
    higher, which takes two bytes in UTF-8.

    >>> unpack_bytes(pack_bytes(bytes(range(256)))) == bytes(range(256))
    True
    """
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    groups = np.pad(bits, (0, -len(bits) % 7)).reshape(-1, 7)
    text = bytes(np.packbits(np.pad(groups, ((0, 0), (1, 0))), axis=1).ravel()).decode("ascii")
    return text.translate({code: code + _ELSEWHERE for code in _CHANGED})


def unpack_bytes(text: str) -> bytes:
    """Return the bytes of which ``pack_bytes`` made ``text``.

    Raises:
        ValueError: it has characters that this does not write.

    """
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    escaped = codes >= _ELSEWHERE
    if not np.isin(codes[escaped] - _ELSEWHERE, _CHANGED).all() or (codes[~escaped] > 127).any():
        raise ValueError("not packed bytes")
    bits = np.unpackbits((codes & 127).astype(np.uint8)[:, None], axis=1)[:, 1:].ravel()
    return bytes(np.packbits(bits[: len(bits) // 8 * 8]))


def css_colour(rgb: Sequence[float]) -> str:
    """Return an RGB colour in [0, 1] as ``#rrggbb``.

    >>> css_colour((1, 0.5, 0))
    '#ff8000'
    """
    return "#" + "".join(f"{round(255 * min(max(value, 0), 1)):02x}" for value in rgb)


def _front(name: str) -> str:
    return (_FRONT / name).read_text(encoding="utf-8")


def _luminance(rgb: Sequence[float]) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def _json(value: Any) -> str:
    """Return JSON that is safe in a script element: nothing in it can end the element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _module(text: str) -> str:
    return "data:text/javascript;charset=utf-8," + quote(text, safe="!~*'();/?:@&=+$,[] \"{}")
