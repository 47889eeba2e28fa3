"""Pictures in the terminal, by the protocols of kitty, iTerm2 and sixel.

The terminal is never queried: a late answer would end up in the user's input. It is recognised from environment
variables; ``NFCORE_PICTURES`` overrides them.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping
from typing import Literal, TypeGuard, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nfcore.errors import UserError

Protocol = Literal["kitty", "iterm2", "sixel"]
#: A picture's height on the screen, in lines of text.
ROWS = 12

# https://sw.kovidgoyal.net/kitty/graphics-protocol: at most 4096 bytes at a time.
_CHUNK = 4096
# Height of a line of text in pixels, for sixel: that of the VT340, which introduced sixel.
_LINE_PIXELS = 20
_SIXEL_COLOURS = 256


def protocol_of(environ: Mapping[str, str] = os.environ) -> Protocol | None:
    """Return the protocol that the terminal supports, or None if it is not known to support one.

    Raises:
        UserError: ``NFCORE_PICTURES`` is neither a protocol nor ``off``.

    """
    chosen = environ.get("NFCORE_PICTURES", "")
    if chosen == "off":
        return None
    if chosen:
        if not _is_protocol(chosen):
            raise UserError(f"NFCORE_PICTURES={chosen}: write {', '.join(get_args(Protocol))} or off")
        return chosen
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if "TMUX" in environ or term.startswith(("screen", "tmux")):
        return None  # a multiplexer passes on the outer terminal's variables, but not pictures
    if "KITTY_WINDOW_ID" in environ or term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm", "mintty") or environ.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    if term.startswith(("foot", "mlterm", "contour", "yaft")):
        return "sixel"
    return None


def _is_protocol(text: str) -> TypeGuard[Protocol]:
    return text in get_args(Protocol)


def inline(pixels: NDArray[np.uint8], protocol: Protocol) -> str:
    """Return the escape sequence for ``pixels`` (h, w, 3), ``ROWS`` lines high, and a newline."""
    if protocol == "sixel":
        height = ROWS * _LINE_PIXELS
        width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
        return _sixel(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    data = base64.standard_b64encode(buffer.getvalue()).decode()
    return "".join(_kitty(data)) if protocol == "kitty" else _iterm2(data, len(buffer.getvalue()))


def _kitty(data: str) -> Iterator[str]:
    """Yield a PNG (f=100), shown at once (a=T), ``ROWS`` lines high, no answer (q=2); then a newline."""
    for start in range(0, len(data), _CHUNK):
        control = f"a=T,f=100,q=2,r={ROWS}," if start == 0 else ""
        more = int(start + _CHUNK < len(data))
        yield f"\x1b_G{control}m={more};{data[start : start + _CHUNK]}\x1b\\"
    yield "\n"


def _iterm2(data: str, size: int) -> str:
    """Return iTerm2's inline image (https://iterm2.com/documentation-images.html)."""
    return f"\x1b]1337;File=inline=1;size={size};height={ROWS};preserveAspectRatio=1:{data}\x07\n"


def _sixel(image: Image.Image) -> str:
    """Return DEC's sixel graphics: bands six pixels high, each with one pass per colour.

    VT330/VT340 Programmer Reference Manual, volume 2, chapter 14. Runs of four and more are written as repeats.
    """
    reduced = image.quantize(_SIXEL_COLOURS)
    indices, palette = np.asarray(reduced), reduced.getpalette() or []
    height, width = indices.shape
    parts = [f'\x1bPq"1;1;{width};{height}']
    for colour in np.unique(indices).tolist():
        red, green, blue = (round(value * 100 / 255) for value in palette[3 * colour : 3 * colour + 3])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    bands = []
    weights = 2 ** np.arange(6)[:, None]
    for top in range(0, height, 6):
        band = indices[top : top + 6]
        passes = []
        for colour in np.unique(band):
            bits = ((band == colour) * weights[: len(band)]).sum(0)
            passes.append(f"#{colour}" + "".join(_runs(bits)))
        bands.append("$".join(passes))
    return "".join(parts) + "-".join(bands) + "\x1b\\\n"


def _runs(bits: NDArray[np.int64]) -> Iterator[str]:
    """Yield a band's columns as text; equal neighbours as a repeat where that is shorter."""
    starts = np.flatnonzero(np.diff(bits, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(bits)], strict=True):
        character, count = chr(63 + int(bits[start])), int(end - start)
        yield f"!{count}{character}" if count > 3 else character * count
