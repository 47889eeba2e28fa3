"""A mesh cut into charts that are laid out flat in a texture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import xatlas
from numpy.typing import NDArray
from torch import Tensor

from nfcore import UserError
from nfcore_mesh.surface import Mesh

# Texels between charts of the atlas: bilinear reads do not mix them.
_PADDING = 2
# Attempts to pack all charts: gaps and the smallest charts keep their size while the others shrink.
_TRIES = 8
# Triangles of a piece that is cut into charts by itself: the time grows with the square of their number.
_PIECE = 3000


def unwrapped(mesh: Mesh, size: int) -> tuple[Mesh, Tensor]:
    """Return the mesh cut into charts, and the places (v, 2) of its vertices in a texture of ``size`` texels.

    Places are in [0, 1], u to the right and v down. Vertices at seams are there several times.

    Raises:
        UserError: the texture is too small for the mesh's charts.

    """
    atlas = _packed(mesh, size)
    vertices, triangles, places, count = [], [], [], 0
    for index, piece in enumerate(_pieces(mesh)):
        originals, corners, coordinates = atlas[index]
        vertices.append(piece.vertices[_indices(originals)])
        triangles.append(_indices(corners) + count)
        places.append(torch.from_numpy(coordinates).float())
        count += len(originals)
    # xatlas measures in its own width and height, which need not be equal, nor reach the texture's edges.
    shares = torch.tensor([atlas.width, atlas.height]) / size
    return Mesh(torch.cat(vertices), torch.cat(triangles)), torch.cat(places) * shares


def _packed(mesh: Mesh, size: int) -> Any:
    """Return xatlas' atlas: charts are made smaller until all have room."""
    scale: float | None = None
    for _ in range(_TRIES):
        atlas = xatlas.Atlas()
        for piece in _pieces(mesh):
            atlas.add_mesh(piece.vertices.numpy(), piece.triangles.numpy().astype(np.uint32))
        packing = xatlas.PackOptions()
        packing.padding, packing.bilinear = _PADDING, True
        if scale is None:
            packing.resolution = size
        else:
            packing.texels_per_unit = scale
        atlas.generate(pack_options=packing)
        side = max(atlas.width, atlas.height)
        if side <= size:
            return atlas
        scale = 0.97 * atlas.texels_per_unit * size / side
    raise UserError(
        f"texture = {size} is too small for {len(mesh.triangles)} triangles: take a larger one, or fewer triangles"
    )


def _pieces(mesh: Mesh) -> Iterator[Mesh]:
    """Yield parts of at most ``_PIECE`` triangles, each as compact as halving along the longest side makes it."""
    centres = mesh.vertices[mesh.triangles].mean(1)
    waiting = [torch.arange(len(mesh.triangles))]
    while waiting:
        chosen = waiting.pop()
        if len(chosen) <= _PIECE:
            yield mesh.kept(chosen)
            continue
        there = centres[chosen]
        order = there[:, int((there.amax(0) - there.amin(0)).argmax())].argsort(stable=True)
        half = len(chosen) // 2
        waiting += [chosen[order[half:]], chosen[order[:half]]]


def _indices(array: NDArray[np.uint32]) -> Tensor:
    return torch.from_numpy(array.astype(np.int64))
