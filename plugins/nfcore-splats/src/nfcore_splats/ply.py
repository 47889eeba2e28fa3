"""Gaussians as PLY, in the layout of 3D Gaussian Splatting's reference code: binary, or text for reading."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nfcore import UserError
from nfcore_splats.gaussians import BASIS_SIZES, CONSTANT, Gaussians
from nfcore_splats.packed_ply import CHUNK, HARMONICS, PACKED, VERTEX, unpacked
from nfcore_splats.sanity import check_count

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER = 1 << 16
#: Logarithm of the third scale of flat Gaussians, which have two.
_FLAT = -20.0
_COLOURS = ("red", "green", "blue")
_MEANS, _SCALES = ("x", "y", "z"), ("scale_0", "scale_1", "scale_2")
_QUATERNION, _CONSTANT = ("rot_0", "rot_1", "rot_2", "rot_3"), ("f_dc_0", "f_dc_1", "f_dc_2")


@dataclass(frozen=True)
class _Header:
    """Byte order ('' is text), elements by name with count and properties (name, type), comments, body's place."""

    order: str
    elements: dict[str, tuple[int, list[tuple[str, str]]]]
    comments: tuple[str, ...]
    body: int


def read_ply(data: bytes, where: str) -> Gaussians:
    """Return the Gaussians in a PLY file.

    Raises:
        UserError: it is damaged, or holds something else: says what.

    """
    header = _header(data, where)
    count, properties = header.elements.get(VERTEX, (0, []))
    if CHUNK in header.elements and {name for name, _ in properties} >= set(PACKED):
        check_count(count, 3 if HARMONICS in header.elements else 0, where)
        bands = _table(data, header, HARMONICS, where) if HARMONICS in header.elements else None
        return unpacked(_table(data, header, CHUNK, where), _table(data, header, VERTEX, where), bands, where)
    degree = _degree(header, where)
    check_count(count, degree, where)
    table = _table(data, header, VERTEX, where)
    found = set(table.dtype.names or ())

    def columns(names: tuple[str, ...]) -> Tensor:
        return torch.from_numpy(np.stack([table[name].astype(np.float32) for name in names], 1))

    def flat() -> Tensor:
        return torch.full((count, 1), _FLAT)

    scales = columns(_SCALES) if set(_SCALES) <= found else torch.cat([columns(_SCALES[:2]), flat()], 1)
    constant = columns(_CONSTANT) if set(_CONSTANT) <= found else (columns(_COLOURS) / 255 - 0.5) / CONSTANT

    size = BASIS_SIZES[degree] - 1
    # The file has all of red, then green, then blue.
    rest = columns(tuple(f"f_rest_{i}" for i in range(3 * size))) if size else torch.zeros(count, 0)
    harmonics = [constant[:, None], rest.reshape(count, 3, size).transpose(1, 2)]
    return Gaussians(
        columns(_MEANS),
        scales,
        columns(_QUATERNION),
        columns(("opacity",))[:, 0],
        torch.cat(harmonics, 1).contiguous(),
    )


def ply_comments(data: bytes, where: str) -> tuple[str, ...]:
    """Return the comments in a PLY file's header."""
    return _header(data, where).comments


def write_ply(gaussians: Gaussians, comments: tuple[str, ...] = ()) -> bytes:
    """Return the file, little endian, with the normals of 0 that the reference code writes."""
    size = gaussians.harmonics.shape[1] - 1
    rest = gaussians.harmonics[:, 1:].transpose(1, 2).reshape(len(gaussians), -1)
    names = (*_MEANS, "nx", "ny", "nz", *_CONSTANT, *(f"f_rest_{i}" for i in range(3 * size)), "opacity")
    columns = [gaussians.means, torch.zeros_like(gaussians.means), gaussians.harmonics[:, 0], rest]
    columns += [gaussians.opacity_logits[:, None], gaussians.log_scales, gaussians.quaternions]
    rows = torch.cat(columns, 1).numpy().astype("<f4")
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {text}" for text in comments)]
    lines += [f"element vertex {len(gaussians)}"]
    lines += [f"property float {name}" for name in (*names, *_SCALES, *_QUATERNION)]
    return "\n".join([*lines, "end_header", ""]).encode("ascii") + rows.tobytes()


def _header(data: bytes, where: str) -> _Header:
    end = data.find(b"end_header", 0, _LONGEST_HEADER)
    start = data.find(b"\n", end) + 1
    elements: dict[str, tuple[int, list[tuple[str, str]]]] = {}
    comments, order, last = [], None, ""
    try:
        if not data.startswith(b"ply") or end < 0 or not start:
            raise ValueError
        for line in data[:end].decode("utf-8", "replace").splitlines()[1:]:
            words = line.split()
            match words:
                case ["format", name, *_]:
                    order = _FORMATS[name]
                case ["comment", *_]:
                    comments.append(line.partition(" ")[2])
                case ["element", last, count]:
                    elements[last] = int(count), []
                case ["property", *kind, name]:
                    elements[last][1].append((name, " ".join(kind)))
        if order is None:
            raise ValueError
    except (KeyError, ValueError):
        raise UserError(f"{where}: damaged, or no PLY file") from None
    return _Header(order, elements, tuple(comments), start)


def _degree(header: _Header, where: str) -> int:
    """Return the degree of the harmonics of a file of Gaussians; for another kind of PLY, say which it is."""
    names = {name for name, _ in header.elements.get(VERTEX, (0, []))[1]}
    # Flat Gaussians have two scales; some programs write colours in place of the constant harmonic.
    missing = {*_MEANS, *_SCALES[:2], *_QUATERNION, "opacity"} - names
    if not set(_COLOURS) <= names:
        missing |= set(_CONSTANT) - names
    faces = header.elements.get("face", (0, []))[0]
    if missing and faces:
        raise UserError(
            f"{where}: is a mesh of {faces:,} faces, not Gaussians: they have opacity, scale_0, rot_0, ..."
        )
    if missing:
        what = "a cloud of points" if set(_MEANS) <= names else "a PLY of something else"
        raise UserError(
            f"{where}: is {what}, not Gaussians: its vertices have no {', '.join(sorted(missing)[:3])}"
        )
    rest = sum(name.startswith("f_rest_") for name in names)
    sizes = {3 * (size - 1): degree for degree, size in enumerate(BASIS_SIZES)}
    if rest not in sizes or not {f"f_rest_{i}" for i in range(rest)} <= names:
        raise UserError(
            f"{where}: has {rest} properties f_rest_*: {', '.join(map(str, sizes))} are known (degree 0 to 3)"
        )
    return sizes[rest]


def _table(data: bytes, header: _Header, element: str, where: str) -> NDArray[Any]:
    """Return the rows of an element; those before it must be of numbers too, not of lists."""
    count, properties = header.elements[element]
    before = list(header.elements)[: list(header.elements).index(element)]
    for name in (*before, element):
        if any(kind not in _TYPES for _, kind in header.elements[name][1]) or header.elements[name][0] < 0:
            raise UserError(f"{where}: damaged: {name!r} has a property of an unknown type, or a list")
    if header.order:
        sizes = {name: _record(header, name).itemsize for name in before}
        start = header.body + sum(header.elements[name][0] * size for name, size in sizes.items())
        record = _record(header, element)
        found = max(0, len(data) - start) // record.itemsize
        if found < count:
            raise UserError(f"{where}: cut short: {found:,} of {count:,} Gaussians are there")
        return np.frombuffer(data, record, count, start)
    skipped = sum(header.elements[name][0] for name in before)
    lines = data[header.body :].decode("ascii", "replace").splitlines()[skipped : skipped + count]
    try:
        rows = (
            np.loadtxt(io.StringIO("\n".join(lines)), np.float64, ndmin=2) if any(map(str.strip, lines)) else None
        )
    except ValueError:
        rows = None
    if rows is None or rows.shape != (count, len(properties)):
        raise UserError(f"{where}: damaged: its text is not {count:,} rows of {len(properties)} numbers")
    table = np.empty(count, [(name, "f4") for name, _ in properties])
    for column, (name, _) in enumerate(properties):
        table[name] = rows[:, column]
    return table


def _record(header: _Header, element: str) -> np.dtype[Any]:
    return np.dtype([(name, header.order + _TYPES[kind]) for name, kind in header.elements[element][1]])
