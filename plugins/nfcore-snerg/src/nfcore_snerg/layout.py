"""Where blocks are in the texture atlas, and whether a graphics card has room for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nfcore import UserError
from nfcore_snerg.atlas import Atlas
from nfcore_snerg.files import EMPTY, Bytes
from nfcore_snerg.voxels import LEVELS

#: The largest side of a 3D texture that graphics cards of today offer, in texels.
MOST_TEXELS = 2048
#: Bytes of a texel: opacity with its smaller images, colour, features.
_TEXEL_BYTES = 8 + 1 / 7
#: Floats of exact steps of 8 bits may be a little below them, and the official files round down.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Layout:
    """The place of blocks in an atlas.

    Args:
        blocks: along x, y and z of the atlas.
        size: texels along the side of a block, with its border.

    """

    blocks: tuple[int, int, int]
    size: int

    @classmethod
    def of(cls, atlas: Atlas) -> Layout:
        """Return the flattest layout: fewer images, and little that is empty."""
        size, count = atlas.rows.shape[1], max(1, len(atlas.rows))
        # An index of 255 says that a block is empty.
        along = min(MOST_TEXELS // size, EMPTY)
        side = min(along, math.ceil(math.sqrt(count)))
        across = min(along, math.ceil(count / side))
        return cls((side, across, math.ceil(count / (side * across))), size)

    @property
    def megabytes(self) -> float:
        """Graphics memory that the atlas takes."""
        return math.prod(self.blocks) * self.size**3 * _TEXEL_BYTES / 1e6

    def place(self, slots: Tensor) -> Tensor:
        """Return (.., 3) int64: where blocks with numbers ``slots`` (..) are, in blocks."""
        x, y, _ = self.blocks
        return torch.stack([slots % x, slots // x % y, slots // (x * y)], -1).long()

    def texels(self, atlas: Atlas, table: Tensor) -> Bytes:
        """Return (W, H, D, 8) bytes: what the atlas stores of ``table`` (rows, 8), rounded down."""
        codes = (table.clamp(0, 1) * LEVELS + _ROUNDING).floor().to(torch.uint8).numpy()
        x, y, z = self.blocks
        size = self.size
        packed = np.zeros((z * y * x, size, size, size, 8), np.uint8)
        packed[: len(atlas.rows)] = codes[atlas.rows.numpy()]
        cube = packed.reshape(z, y, x, size, size, size, 8).transpose(2, 3, 1, 4, 0, 5, 6)
        return np.ascontiguousarray(cube).reshape(x * size, y * size, z * size, 8)

    def indices(self, atlas: Atlas) -> Bytes:
        """Return (x, y, z, 3) bytes: the place of each block of the grid."""
        stored = (atlas.slots >= 0)[..., None]
        return torch.where(stored, self.place(atlas.slots.long()), EMPTY).to(torch.uint8).numpy()


def check_room(atlas: Atlas, layout: Layout, most_megabytes: int) -> None:
    """Refuse an atlas that textures have no room for.

    Raises:
        UserError: it is too large; says which resolution fits.

    """
    depth = layout.blocks[2] * layout.size
    share = min(MOST_TEXELS / depth, most_megabytes / layout.megabytes, (EMPTY - 1) / layout.blocks[2])
    if share >= 1:
        return
    resolution = max(atlas.grid.shape)
    # Blocks cover surfaces: their number grows with the square of the resolution.
    fits = math.floor(resolution * math.sqrt(share))
    raise UserError(
        f"snerg: {len(atlas.rows)} blocks of {layout.size}^3 texels take {layout.megabytes:.0f} MB of textures, "
        f"and there is room for {share:.0%} of them (texture_megabytes = {most_megabytes}, sides of {MOST_TEXELS} "
        f"texels): fit the teacher with resolution = {fits} (now {resolution})"
    )
