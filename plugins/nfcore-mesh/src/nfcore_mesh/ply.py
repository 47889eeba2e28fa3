"""Points with colours, normals or triangles as binary PLY (Turk 1994)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from nfcore import UserError
from nfcore.io import write_atomic
from nfcore_mesh.cloud import Cloud
from nfcore_mesh.glb import Card

_CARD, _SPACING = "comment nfcore ", "comment spacing "
_FLOATS, _BYTES = ("x", "y", "z", "nx", "ny", "nz"), ("red", "green", "blue")
_POINT = np.dtype([*((name, "<f4") for name in _FLOATS), *((name, "u1") for name in _BYTES)])


def write_cloud(path: Path, points: Cloud, card: Card) -> None:
    """Write a cloud, little endian, atomically; what the scene is, is in comments."""
    rows = np.empty(len(points.points), _POINT)
    _fill(rows, _FLOATS, torch.cat([points.points, points.normals], 1))
    _fill(rows, _BYTES, points.colours)
    notes = [_CARD + card.model_dump_json(), f"{_SPACING}{points.spacing!r}"]
    write_atomic(path, _header(rows, notes) + rows.tobytes())


def read_cloud(data: bytes, where: str) -> tuple[Cloud, Card]:
    """Return what ``write_cloud`` wrote.

    Raises:
        UserError: the file is damaged, or another program's.

    """
    head, found, body = data.partition(b"end_header\n")
    try:
        lines = head.decode("ascii").splitlines()
        (card,) = (line.removeprefix(_CARD) for line in lines if line.startswith(_CARD))
        (spacing,) = (float(line.removeprefix(_SPACING)) for line in lines if line.startswith(_SPACING))
        told = Card.model_validate_json(card)
        rows = np.frombuffer(body, _POINT)
    except (ValueError, ValidationError):
        raise UserError(f"{where}: not a point cloud that nfcore wrote; export it again") from None
    if not found or f"element vertex {len(rows)}" not in lines:
        raise UserError(f"{where}: damaged: {len(rows)} points are not what it says; export it again")
    floats = torch.from_numpy(np.stack([rows[name] for name in _FLOATS], 1).astype(np.float32))
    if not (floats.isfinite().all() and 0 < spacing < float("inf")):
        raise UserError(f"{where}: damaged: numbers that are not finite; export it again")
    colours = torch.from_numpy(np.stack([rows[name] for name in _BYTES], 1).copy())
    return Cloud(floats[:, :3], colours, floats[:, 3:], spacing), told


def write_triangles(path: Path, points: Tensor, colours: Tensor, triangles: Tensor) -> None:
    """Write a mesh with a colour (v, 3) uint8 for each of its vertices (v, 3), little endian, atomically."""
    rows = np.empty(len(points), [*((name, "<f4") for name in _FLOATS[:3]), *((name, "u1") for name in _BYTES)])
    _fill(rows, _FLOATS[:3], points)
    _fill(rows, _BYTES, colours)
    faces = np.empty(len(triangles), [("count", "u1"), ("indices", "<i4", (3,))])
    faces["count"], faces["indices"] = 3, triangles.numpy()
    header = _header(rows, [], f"element face {len(faces)}", "property list uchar int vertex_indices")
    write_atomic(path, header + rows.tobytes() + faces.tobytes())


def _fill(rows: NDArray[np.void], names: tuple[str, ...], columns: Tensor) -> None:
    for column, name in enumerate(names):
        rows[name] = columns[:, column].numpy()


def _header(rows: NDArray[np.void], notes: list[str], *more: str) -> bytes:
    names = rows.dtype.names or ()
    properties = [f"property {'uchar' if name in _BYTES else 'float'} {name}" for name in names]
    lines = ["ply", "format binary_little_endian 1.0", *notes, f"element vertex {len(rows)}", *properties, *more]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")
