"""What textures a field needs where it is drawn, and whether every device has room for them."""

from __future__ import annotations

import math

from torch import Tensor

from nfcore import UserError
from nfcore_webgl.cells import CELL, any_of, occupied_cells
from nfcore_webgl.header import Header
from nfcore_webgl.shaders import textures_of

#: Side of a volume in texels that WebGL2 promises on every device.
_SIDE = 256
#: Macro cells along the side of a block, and vertices along it.
_BLOCK_CELLS, _BLOCK_VERTICES = 2, 9
_DENSE_BYTES = 64 << 20
#: Bytes of a macro cell: its distance, and a bit for each of its voxels.
_CELL_BYTES = 9


def check_textures(header: Header, voxels: Tensor, most_megabytes: int) -> int:
    """Return the bytes of the textures of a field with occupied ``voxels`` (x - 1, y - 1, z - 1) bool.

    They are arranged as the page does, ``front/unpack.js``.

    Raises:
        UserError: they are larger than WebGL2 promises, or than ``most_megabytes``.

    """
    cells = occupied_cells(voxels)
    of_cells = _CELL_BYTES * cells.numel()
    per_vertex = 4 * textures_of(header.values)
    dense = _dense_size(cells)
    if max(dense) <= _SIDE and math.prod(dense) * per_vertex <= _DENSE_BYTES:
        return math.prod(dense) * per_vertex + of_cells
    blocks = int(any_of(cells, _BLOCK_CELLS).sum())
    along = _SIDE // _BLOCK_VERTICES
    room = min(along**3, most_megabytes * 10**6 // (per_vertex * _BLOCK_VERTICES**3))
    if blocks > room:
        longest = max(header.grid.shape) - 1
        # Blocks cover surfaces: their number grows with the square of the resolution.
        fits = math.floor(longest * math.sqrt(room / blocks))
        raise UserError(
            f"the field needs {blocks} blocks of 8 x 8 x 8 voxels in textures, and {room} fit into "
            f"{most_megabytes} MB of {_SIDE} texels a side: fit the teacher with resolution = {fits} "
            f"(now {longest}), raise prune, or raise texture_megabytes"
        )
    return blocks * per_vertex * _BLOCK_VERTICES**3 + of_cells


def _dense_size(cells: Tensor) -> list[int]:
    if not cells.any():
        return [2, 2, 2]
    places = cells.nonzero()
    size: list[int] = ((places.amax(0) - places.amin(0) + 1) * CELL + 1).tolist()
    return size
