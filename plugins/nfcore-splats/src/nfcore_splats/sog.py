"""Gaussians as SOG (PlayCanvas, version 2): ``meta.json`` and WebP images, in a folder or zipped as ``.sog``.

Images hold a Gaussian in each pixel, row by row. See the format's specification, developer.playcanvas.com.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from nfcore import UserError
from nfcore.config import parse
from nfcore.io import inside, parse_json, read_file
from nfcore_splats.gaussians import BASIS_SIZES, Gaussians
from nfcore_splats.sanity import MOST, MOST_BYTES, check_count
from nfcore_splats.splat import logit

Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Vector = tuple[Number, Number, Number]
# Palettes of harmonics have so many entries in a row of their image.
_IN_A_ROW = 64
_LEAST_LARGEST = 252
Read = Callable[[str], bytes]


class _Record(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class _Means(_Record):
    mins: Vector
    maxs: Vector
    files: tuple[str, str]


class _Images(_Record):
    files: tuple[str]


class _Coded(_Images):
    codebook: Annotated[list[Number], Field(min_length=1, max_length=256)]


class _Palette(_Record):
    count: int = Field(ge=1, le=1 << 16)
    bands: int = Field(ge=1, le=3)
    codebook: Annotated[list[Number], Field(min_length=1, max_length=256)]
    files: tuple[str, str]


class _Meta(_Record):
    """``meta.json``; other entries are ignored."""

    version: Literal[2]
    count: int
    antialias: bool = False
    means: _Means
    scales: _Coded
    quats: _Images
    sh0: _Coded
    shN: _Palette | None = None  # noqa: N815 - the file's name


def read_sog(path: Path) -> Gaussians:
    """Return the Gaussians in a SOG file or folder.

    Raises:
        UserError: a file is missing or damaged, or its version is not read.

    """
    if path.is_dir():
        return _decoded(lambda name: _in_folder(path, name), str(path))
    try:
        with zipfile.ZipFile(io.BytesIO(read_file(path, MOST_BYTES))) as archive:
            folder = next((name for name in archive.namelist() if name.endswith("/meta.json")), "")
            inner = "" if "meta.json" in archive.namelist() else folder.removesuffix("meta.json")
            return _decoded(lambda name: _in_archive(archive, inner + name, path), str(path))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        raise UserError(f"{path}: damaged, or no SOG file") from None


def _in_folder(folder: Path, name: str) -> bytes:
    if not inside(folder / name, folder):
        raise UserError(f"{folder}: {name!r}, which its meta.json names, is missing")
    return read_file(folder / name, MOST_BYTES)


def _in_archive(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        if archive.getinfo(name).file_size > MOST_BYTES:
            raise UserError(f"{path}: {name!r} is larger than {MOST_BYTES >> 20} MiB")
        return archive.read(name)
    except KeyError:
        raise UserError(f"{path}: has no {name!r}: damaged, or no SOG file") from None


def _decoded(read: Read, where: str) -> Gaussians:
    values = parse_json(read("meta.json"), f"{where}, meta.json")
    if not isinstance(values, dict) or values.get("version") != 2:
        raise UserError(f"{where}: SOG version 2 is read: convert it by playcanvas/splat-transform")
    meta = parse(_Meta, values, f"{where}, meta.json")
    bands = 0 if meta.shN is None else meta.shN.bands
    check_count(meta.count, bands, where)

    def pixels(name: str) -> NDArray[np.uint8]:
        found = _image(read(name), name, where).reshape(-1, 4)
        if len(found) < meta.count:
            raise UserError(f"{where}: {name} has {len(found):,} pixels for {meta.count:,} Gaussians")
        return found[: meta.count]

    low, high = (pixels(name)[:, :3].astype(np.float64) for name in meta.means.files)
    least, most = np.array(meta.means.mins), np.array(meta.means.maxs)
    logarithms = least + (most - least) * (low + 256 * high) / 65535
    colours = pixels(meta.sh0.files[0])
    harmonics = [_looked_up(meta.sh0.codebook, colours[:, None, :3], where)]
    if meta.shN is not None:
        harmonics.append(_palette(meta.shN, pixels(meta.shN.files[1]), read, where))
    return Gaussians(
        torch.from_numpy(np.sign(logarithms) * np.expm1(np.abs(logarithms))).float(),
        _looked_up(meta.scales.codebook, pixels(meta.scales.files[0])[:, :3], where),
        _quaternions(pixels(meta.quats.files[0]), where),
        logit(torch.from_numpy(colours[:, 3].astype(np.float32)) / 255),
        torch.cat(harmonics, 1),
        antialiased=meta.antialias,
    )


def _image(data: bytes, name: str, where: str) -> NDArray[np.uint8]:
    """Return an image's pixels (h, w, 4); it is refused before it is decoded if it is too large."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > 4 * MOST:
                raise UserError(f"{where}: {name} has {image.width * image.height:,} pixels, too many")
            return np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(f"{where}: {name} is damaged, or no image") from None


def _looked_up(codebook: list[float], indices: NDArray[np.uint8], where: str) -> Tensor:
    if indices.max(initial=0) >= len(codebook):
        raise UserError(f"{where}: damaged: a value beyond its codebook of {len(codebook)}")
    return torch.from_numpy(np.array(codebook, np.float32)[indices])


def _palette(palette: _Palette, labels: NDArray[np.uint8], read: Read, where: str) -> Tensor:
    """Return the harmonics (n, k, 3) above degree 0: each Gaussian has the number of an entry."""
    size = BASIS_SIZES[palette.bands] - 1
    number = labels[:, 0].astype(np.int64) + 256 * labels[:, 1].astype(np.int64)
    image = _image(read(palette.files[0]), palette.files[0], where)[..., :3]
    rows = number.max(initial=0) // _IN_A_ROW
    if image.shape[1] != _IN_A_ROW * size or rows >= image.shape[0]:
        raise UserError(f"{where}: damaged: {palette.files[0]} is no palette of {palette.count:,} entries")
    entries = image.reshape(image.shape[0] * _IN_A_ROW, size, 3)
    return _looked_up(palette.codebook, entries[number], where)


def _quaternions(pixels: NDArray[np.uint8], where: str) -> Tensor:
    """Return quaternions of which all but the largest are stored; alpha says which of w, x, y, z that is."""
    largest = pixels[:, 3].astype(np.int64) - _LEAST_LARGEST
    if (largest < 0).any():
        raise UserError(f"{where}: damaged: a rotation whose largest component is none of four")
    stored = (pixels[:, :3] / 255 - 0.5) * 2**0.5
    order = np.array([[component for component in range(4) if component != left] for left in range(4)])
    values = np.zeros((len(pixels), 4))
    np.put_along_axis(values, order[largest], stored, 1)
    rest = np.sqrt(np.maximum(0, 1 - (stored**2).sum(1)))
    np.put_along_axis(values, largest[:, None], rest[:, None], 1)
    return torch.from_numpy(values).float()
