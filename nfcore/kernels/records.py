"""The data that kernels take: a grid as a named tuple, paths and samples as rows of numbers, and their sizes.

No numba here: callers prepare data before they know whether kernels can run.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Bits = NDArray[np.uint64]
Shape = tuple[int, int, int]
#: A number of whichever type a kernel computes with: numba finds out, mypy need not.
Number = Any

#: Cells along each side of a block: empty space is skipped in blocks, and 64 cells are the bits of one number.
BLOCK = 4
#: The most samples of a ray that are kept for the backward pass.
MOST_SAMPLES = 2048
#: Rows whose flags are read at once: most rows of a table are not touched by a step.
TOUCHED_AT_ONCE = 8

# A path: where it begins and ends, and its straight line in cells (``origin + distance * direction``). A bent one
# is straight in the world instead, in units of half the scene's box from its centre, over depth; see ``paths``.
NEAR, FAR, ORIGIN, DIRECTION, STRETCH, NEAREST, BEND, PER_DEPTH = 0, 1, 2, 5, 8, 9, 10, 11
PATH_SIZE = 12


class PathPart(IntEnum):
    """Where in a path's row of ``PATH_SIZE`` numbers its parts begin.

    Members:
        NEAR: distance at which it begins.
        FAR: distance at which it ends.
        ORIGIN: three numbers, where distance (of a bent path: depth) is 0.
        DIRECTION: three numbers, change with distance (of a bent path: depth).
        STRETCH: optical depth of a unit of distance per density; 1 in a box.
        NEAREST: of a bent path: depth at which it is nearest to the centre.
        BEND: of a bent path: distance to either side of it from which steps are even in disparity.
        PER_DEPTH: of a bent path: depth in a unit of distance before that.

    """

    NEAR = NEAR
    FAR = FAR
    ORIGIN = ORIGIN
    DIRECTION = DIRECTION
    STRETCH = STRETCH
    NEAREST = NEAREST
    BEND = BEND
    PER_DEPTH = PER_DEPTH


# What a sample stores next to its row of values: position in its cell, transmittance up to it, opacity, slope of
# the optical depth in the raw density, weight.
PLACE, TRANSMITTANCE, OPACITY, SLOPE, WEIGHT = 0, 3, 4, 5, 6
# The same places hold distance and stretch of a sample that is found until its values are looked up.
DISTANCE, STRETCH_THERE = 3, 4
SAMPLE_EXTRA = 8
#: Samples of a path that are found before the first of them is looked up.
AHEAD = 16


class Grid(NamedTuple):
    """A sparse grid of rows of V numbers, V being 8 or 16: raw density, then V - 1 values.

    Attributes:
        table: (rows * V,) the rows; all places without a row of their own share the first, which never changes.
        corners: (cells * 8,) the rows of each stored cell's corners, x slowest; cell 0 is not used.
        stored: (blocks,) uint64, which cells of each block of ``BLOCK``^3 are stored: a bit each, x slowest.
        active: (blocks,) uint64, which of these are not empty.
        first: (blocks,) the number in ``corners`` of each block's first stored cell; the others follow it.
        gap: (blocks,) distance to the nearest block with an active cell, in blocks and the largest coordinate.
        shape: cells along x, y and z.
        blocks: blocks of cells along x, y and z.
        step: distance between samples along a path.
        absorption: see ``absorb``.
        bent: whether paths are bent.
        lanes: V zeros; numba compiles a tuple's length into the code, so vectors have a constant size.

    """

    table: Floats
    corners: Ints
    stored: Bits
    active: Bits
    first: Ints
    gap: Bytes
    shape: Shape
    blocks: Shape
    step: Number
    absorption: Floats
    bent: bool
    lanes: tuple[int, ...]


# Kinds of spaces: a box, a contracted world, NDC.
BOX, CONTRACTED, NDC = 0, 1, 2


class SpaceRecord(NamedTuple):
    """A bounded space, as ``nfcore.Space.record`` returns it; numbers are float32, scene units.

    Attributes:
        kind: one of ``BOX``, ``CONTRACTED`` and ``NDC``.
        near: where rays begin without a box; of NDC: the near plane's distance from the origin.
        far: where rays end without a box.
        low: lower corner of the box.
        high: upper corner.
        centre: what becomes the cube's centre.
        half: half of the box's sides.
        ratios: of NDC: what x / -z and y / -z are multiplied with.

    """

    kind: int
    near: Number
    far: Number
    low: tuple[Number, Number, Number]
    high: tuple[Number, Number, Number]
    centre: tuple[Number, Number, Number]
    half: tuple[Number, Number, Number]
    ratios: tuple[Number, Number]


def row_lanes(row: int) -> tuple[int, ...]:
    """Return a tuple of ``row`` zeros: its type contains the length of rows, which kernels are compiled for.

    Raises:
        ValueError: a row has neither 8 nor 16.

    """
    if row not in (8, 16):
        raise ValueError(f"kernels work on rows of 8 or 16 numbers, not {row}")
    return (0,) * row


def block_shape(shape: Shape) -> Shape:
    """Return how many blocks hold a grid of ``shape`` cells."""
    x, y, z = (-(-side // BLOCK) for side in shape)
    return x, y, z


def network_size(inputs: int, hidden: int, outputs: int) -> int:
    """Return how many weights the network of two hidden layers has; see ``network``."""
    return inputs * hidden + hidden * hidden + hidden + outputs * hidden + outputs


def touched_size(rows: int) -> int:
    """Return how many bytes note which of ``rows`` were touched: a multiple of ``TOUCHED_AT_ONCE``."""
    return -(-rows // TOUCHED_AT_ONCE) * TOUCHED_AT_ONCE
