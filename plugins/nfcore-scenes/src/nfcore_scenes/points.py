"""Points of a scene from a PLY file, as nerfstudio writes it.

pycolmap reads PLY too, but not the type names (``uint8``) in nerfstudio's files.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcore import UserError
from nfcore.io import read_file

#: Greatest size of a file of points or of COLMAP's, which is read whole.
MOST_BYTES = 4 << 30

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_COLOURS = ("red", "green", "blue")
_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


def read_points(file: Path) -> tuple[Tensor, Tensor | None]:
    """Return the finite vertices (m, 3) float64 of a PLY file, text or binary, and their RGB (m, 3) uint8.

    None in place of the colours where the file has none.

    Raises:
        UserError: the file is missing, truncated, or not a PLY file with ``vertex`` (x, y, z) as first element.

    """
    data = read_file(file, MOST_BYTES)
    try:
        points, colours = _vertices(data)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError):
        raise UserError(
            f"{file} is damaged, or no PLY file whose first element is vertex, with x, y and z"
        ) from None
    finite = np.isfinite(points).all(1)
    return torch.from_numpy(points[finite]), None if colours is None else torch.from_numpy(colours[finite])


_Columns = Callable[[str], npt.NDArray[np.float64]]


def _vertices(data: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8] | None]:
    header, mark, body = data.partition(b"end_header")
    lines = [line.split() for line in header.decode("ascii", "strict").splitlines() if line.strip()]
    if not mark or lines[0] != ["ply"] or lines[1][0] != "format":
        raise ValueError
    elements = [index for index, words in enumerate(lines) if words[0] == "element"]
    first = lines[elements[0]]
    count = int(first[2])
    last = elements[1] if len(elements) > 1 else len(lines)
    properties = [words[1:] for words in lines[elements[0] : last] if words[0] == "property"]
    if first[1] != "vertex" or count < 0 or any(len(words) != 2 for words in properties):
        raise ValueError
    body = body.partition(b"\n")[2]
    names = [name for _, name in properties]
    if lines[1][1] == "ascii":
        rows = body.decode("ascii").split("\n", count)[:count]
        if not any(row.strip() for row in rows):  # NumPy would warn about it
            raise ValueError
        table = np.loadtxt(io.StringIO("\n".join(rows)), np.float64, ndmin=2, max_rows=count)
        if table.shape != (count, len(names)):
            raise ValueError
        return _points_and_colours(names, lambda name: table[:, names.index(name)])
    order = _BYTE_ORDERS[lines[1][1]]
    record = np.dtype([(name, order + _TYPES[kind]) for kind, name in properties])
    if count * record.itemsize > len(body):
        raise ValueError
    vertices = np.frombuffer(body, record, count)
    return _points_and_colours(names, lambda name: vertices[name].astype(np.float64))


def _points_and_colours(
    names: list[str], column: _Columns
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8] | None]:
    points = np.stack([column(axis) for axis in "xyz"], 1)
    if not set(_COLOURS) <= set(names):
        return points, None
    colours = np.stack([column(name) for name in _COLOURS], 1)
    if colours.size and colours.max() <= 1:  # some programs write shares
        colours = 255 * colours
    return points, np.nan_to_num(colours).round().clip(0, 255).astype(np.uint8)
