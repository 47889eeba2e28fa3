"""The pixels of tiles: alpha compositing of ellipses front to back, and its gradient.

As in Kerbl et al. 2023, section 6. All pixels of a row of a tile are computed at once, without branches, and all
that they store is in one line of one array, so that the compiler vectorises it. The gradient is computed front to
back too: what is behind a Gaussian is the whole pixel minus what is in front.
"""

from __future__ import annotations

import math

import numpy as np

from nfcore.kernels import Floats, Ints, Number, kernel
from nfcore_splats.kernels.tiles import Longs
from nfcore_splats.records import (
    CENTRE,
    COLOUR,
    DEPTH,
    GRADIENTS,
    GREATEST_ALPHA,
    HALF,
    INVERSE,
    LEAST_ALPHA,
    LEAST_TRANSMITTANCE,
    OPACITY,
    TILE,
)

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_LEAST, _GREATEST, _FINISHED = np.float32(LEAST_ALPHA), np.float32(GREATEST_ALPHA), np.float32(LEAST_TRANSMITTANCE)
# Where a line, the pixels of a row of a tile, has transmittances, whether pixels are unfinished (1 or 0), and
# sums; or the loss's gradients, and what is behind.
_TRANSMITTANCE, _LIVE, _RED, _GREEN, _BLUE, _DEPTH = 0, TILE, 2 * TILE, 3 * TILE, 4 * TILE, 5 * TILE
_OPAQUE, _BEHIND = 5 * TILE, 6 * TILE
# Whether any pixel of a tile is unfinished is checked once for so many Gaussians.
_CHECKED = 8
# e^-16 is far below the least alpha. The polynomial is e^-x on [0, 1] to 5e-8 (Chebyshev).
_FAR, _SIXTEENTH = np.float32(16), np.float32(1 / 16)


@kernel
def _exponential(power: Number) -> Number:
    """Return e^-power for power of 0 or more, without branches: the 16th power of e^-(power / 16)."""
    x = min(power, _FAR) * _SIXTEENTH
    root = np.float32(0.000849007873)
    root = root * x + np.float32(-0.0076543251)
    root = root * x + np.float32(0.0412233177)
    root = root * x + np.float32(-0.166515167)
    root = root * x + np.float32(0.499975091)
    root = root * x + np.float32(-0.999998454)
    root = root * x + np.float32(0.999999984)
    root *= root
    root *= root
    root *= root
    return root * root


@kernel
def _rows_of(row: Floats, top: int, height: int) -> tuple[int, int]:
    """Return the first and the last row of a tile's pixels that an ellipse may reach, counted in the tile."""
    first = max(0, math.ceil(row[CENTRE + 1] - row[HALF + 1] - _HALF) - top)
    last = min(min(TILE, height - top) - 1, math.floor(row[CENTRE + 1] + row[HALF + 1] - _HALF) - top)
    return first, last


@kernel
def _start(left: int, top: int, width: int, height: int, lines: Floats) -> None:
    """Set all to 0 and the transmittances to 1; pixels beyond the image are finished."""
    lines[:] = _ZERO
    for y in range(TILE):
        for x in range(TILE):
            lines[y, _TRANSMITTANCE + x] = _ONE
            lines[y, _LIVE + x] = _ONE if left + x < width and top + y < height else _ZERO


@kernel
def _any(lines: Floats) -> bool:
    total = _ZERO
    for y in range(TILE):
        for x in range(TILE):
            total += lines[y, _LIVE + x]
    return bool(total > _ZERO)


@kernel
def _add(row: Floats, aside: Number, dy: Number, line: Floats) -> None:
    """Composite one ellipse into one row of a tile, behind what is there."""
    most, r, g, b, z = row[OPACITY], row[COLOUR], row[COLOUR + 1], row[COLOUR + 2], row[DEPTH]
    qa, along, fixed = _HALF * row[INVERSE], row[INVERSE + 1] * dy, _HALF * row[INVERSE + 2] * dy * dy
    for x in range(TILE):
        dx = aside + np.float32(x)
        alpha = min(_GREATEST, most * _exponential((qa * dx + along) * dx + fixed))
        alpha = alpha if alpha >= _LEAST else _ZERO
        before = line[_TRANSMITTANCE + x]
        after = before * (_ONE - alpha)
        going = line[_LIVE + x] if after >= _FINISHED else _ZERO
        weight = before * alpha * going
        line[_TRANSMITTANCE + x] = before - weight
        line[_LIVE + x] = going
        line[_RED + x] += weight * r
        line[_GREEN + x] += weight * g
        line[_BLUE + x] += weight * b
        line[_DEPTH + x] += weight * z


@kernel
def composite(
    rows: Floats,
    starts: Longs,
    entries: Ints,
    first: int,
    last: int,
    across: int,
    background: Floats,
    image: Floats,
    opacity: Floats,
    depth: Floats,
) -> None:
    """Write the pixels of tiles ``first`` to ``last`` - 1.

    Args:
        rows: (m, COLUMNS) projected Gaussians, nearest first.
        starts, entries: each tile's Gaussians; see ``tiles``.
        first, last: which tiles.
        across: number of tiles in a row.
        background: (3,) RGB.
        image: (h, w, 3), written.
        opacity: (h, w), written.
        depth: (h, w), written: expected depth of what is opaque, 0 where nothing is.

    """
    height, width = opacity.shape
    lines = np.empty((TILE, 6 * TILE), np.float32)
    for tile in range(first, last):
        left, top = tile % across * TILE, tile // across * TILE
        _start(left, top, width, height, lines)
        for entry in range(starts[tile], starts[tile + 1]):
            if (entry - starts[tile]) % _CHECKED == 0 and not _any(lines):
                break
            row = rows[entries[entry]]
            begin, end = _rows_of(row, top, height)
            aside = np.float32(left) + _HALF - row[CENTRE]
            for y in range(begin, end + 1):
                _add(row, aside, np.float32(top + y) + _HALF - row[CENTRE + 1], lines[y])
        for y in range(min(TILE, height - top)):
            line = lines[y]
            for x in range(min(TILE, width - left)):
                rest = line[_TRANSMITTANCE + x]
                image[top + y, left + x, 0] = line[_RED + x] + rest * background[0]
                image[top + y, left + x, 1] = line[_GREEN + x] + rest * background[1]
                image[top + y, left + x, 2] = line[_BLUE + x] + rest * background[2]
                opacity[top + y, left + x] = _ONE - rest
                depth[top + y, left + x] = line[_DEPTH + x] / (_ONE - rest) if rest < _ONE else _ZERO


@kernel
def composite_backward(
    rows: Floats,
    starts: Longs,
    entries: Ints,
    first: int,
    last: int,
    across: int,
    image: Floats,
    opacity: Floats,
    to_image: Floats,
    to_opacity: Floats,
    gradients: Floats,
) -> None:
    """Add to the gradients of the rows what tiles ``first`` to ``last`` - 1 contribute.

    Args:
        rows, starts, entries, first, last, across: as for ``composite``.
        image, opacity: what it wrote.
        to_image, to_opacity: the loss's gradients of these.
        gradients: (m, GRADIENTS), added to.

    """
    height, width = opacity.shape
    lines, sums = np.empty((TILE, 7 * TILE), np.float32), np.empty(GRADIENTS * TILE, np.float32)
    for tile in range(first, last):
        left, top = tile % across * TILE, tile // across * TILE
        _start(left, top, width, height, lines)
        for y in range(min(TILE, height - top)):
            line = lines[y]
            for x in range(min(TILE, width - left)):
                line[_OPAQUE + x] = to_opacity[top + y, left + x]
                behind = opacity[top + y, left + x] * line[_OPAQUE + x]
                for c in range(3):
                    line[_RED + c * TILE + x] = to_image[top + y, left + x, c]
                    behind += image[top + y, left + x, c] * line[_RED + c * TILE + x]
                line[_BEHIND + x] = behind
        for entry in range(starts[tile], starts[tile + 1]):
            if (entry - starts[tile]) % _CHECKED == 0 and not _any(lines):
                break
            row = rows[entries[entry]]
            begin, end = _rows_of(row, top, height)
            if begin > end:
                continue
            sums[:] = _ZERO
            aside = np.float32(left) + _HALF - row[CENTRE]
            for y in range(begin, end + 1):
                _add_gradients(row, aside, np.float32(top + y) + _HALF - row[CENTRE + 1], lines[y], sums)
            slope = gradients[entries[entry]]
            for k in range(GRADIENTS):
                total = _ZERO
                for x in range(TILE):
                    total += sums[k * TILE + x]
                slope[k] += total


@kernel
def _add_gradients(row: Floats, aside: Number, dy: Number, line: Floats, sums: Floats) -> None:
    """Add one ellipse's gradients in one row of a tile to ``sums``, and move on to what is behind it."""
    qa, qb, qc, most = row[INVERSE], row[INVERSE + 1], row[INVERSE + 2], row[OPACITY]
    r, g, b = row[COLOUR], row[COLOUR + 1], row[COLOUR + 2]
    for x in range(TILE):
        dx = aside + np.float32(x)
        shape = _exponential((_HALF * qa * dx + qb * dy) * dx + _HALF * qc * dy * dy)
        wanted = most * shape
        alpha = min(_GREATEST, wanted)
        alpha = alpha if alpha >= _LEAST else _ZERO
        before = line[_TRANSMITTANCE + x]
        after = before * (_ONE - alpha)
        going = line[_LIVE + x] if after >= _FINISHED else _ZERO
        weight = before * alpha * going
        to_red, to_green, to_blue = line[_RED + x], line[_GREEN + x], line[_BLUE + x]
        shown = r * to_red + g * to_green + b * to_blue + line[_OPAQUE + x]
        rest = line[_BEHIND + x] - weight * shown
        to_alpha = (before * shown - rest / (_ONE - alpha)) * going
        to_alpha = to_alpha if alpha > _ZERO and wanted < _GREATEST else _ZERO
        to_power = -alpha * to_alpha
        line[_TRANSMITTANCE + x] = before - weight
        line[_LIVE + x] = going
        line[_BEHIND + x] = rest
        sums[x] -= to_power * (qa * dx + qb * dy)
        sums[TILE + x] -= to_power * (qb * dx + qc * dy)
        sums[2 * TILE + x] += to_power * _HALF * dx * dx
        sums[3 * TILE + x] += to_power * dx * dy
        sums[4 * TILE + x] += to_power * _HALF * dy * dy
        sums[5 * TILE + x] += to_alpha * shape
        sums[6 * TILE + x] += weight * to_red
        sums[7 * TILE + x] += weight * to_green
        sums[8 * TILE + x] += weight * to_blue
