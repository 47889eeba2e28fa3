"""The files of SNeRG's official viewer: ``scene_params.json``, an index of blocks and the texture atlas as PNG.

An atlas of W x H x D texels is cut into D / 4 images of W x 4 H: four slices below each other. Opacity and colour
are in ``rgba_000.png`` and so on, features in ``feature_000.png``. Pixel (x, z * ny + y) of ``atlas_indices.png``
says where block (x, y, z) is in the atlas, in blocks; 255 is an empty block.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nfcore import UserError
from nfcore.io import open_file, read_json_bytes, write_atomic
from nfcore.scene import Vector
from nfcore_snerg.frame import Frame, VoxelGrid

Bytes = NDArray[np.uint8]

PARAMETERS, INDICES = "scene_params.json", "atlas_indices.png"
#: Slices of the atlas in an image; what the index of an empty block is.
SLICES, EMPTY = 4, 255
_Count = Field(ge=1, le=2**20)


class Origin(BaseModel):
    """What the viewer has no use for: where its world is in the scene's, and the size of the photos."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    centre: Vector
    scale: float = Field(gt=0)
    width: int = _Count
    height: int = _Count


class SceneParams(BaseModel):
    """``scene_params.json``, by the names that the viewer reads; ``nfcore`` is ours."""

    model_config = ConfigDict(allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True)

    voxel_size: float = Field(gt=0)
    block_size: int = _Count
    grid_width: int = _Count
    grid_height: int = _Count
    grid_depth: int = _Count
    atlas_width: int = _Count
    atlas_height: int = _Count
    atlas_depth: int = _Count
    num_slices: int = _Count
    min_x: float
    min_y: float
    min_z: float
    atlas_blocks_x: int = _Count
    atlas_blocks_y: int = _Count
    atlas_blocks_z: int = _Count
    input_height: float
    input_width: float
    input_focal: float
    worldspace: list[list[float]] = Field(alias="worldspace_T_opengl")
    ndc: bool
    format: str
    weights_0: list[list[float]] = Field(alias="0_weights")
    weights_1: list[list[float]] = Field(alias="1_weights")
    weights_2: list[list[float]] = Field(alias="2_weights")
    bias_0: list[float] = Field(alias="0_bias")
    bias_1: list[float] = Field(alias="1_bias")
    bias_2: list[float] = Field(alias="2_bias")
    nfcore: Origin

    @property
    def grid(self) -> VoxelGrid:
        """The voxels."""
        low = (self.min_x, self.min_y, self.min_z)
        return VoxelGrid(
            low, self.voxel_size, (self.grid_width, self.grid_height, self.grid_depth), self.block_size
        )

    @property
    def frame(self) -> Frame:
        """The viewer's world."""
        return Frame(self.nfcore.centre, self.nfcore.scale)

    @property
    def texels(self) -> tuple[int, int, int]:
        """Width, height and depth of the atlas."""
        return self.atlas_width, self.atlas_height, self.atlas_depth


def write_files(folder: Path, parameters: SceneParams, atlas: Bytes, indices: Bytes) -> None:
    """Write the official files.

    Args:
        folder: where to write them.
        parameters: becomes ``scene_params.json``.
        atlas: (W, H, D, 8) opacity, colour and features.
        indices: (x, y, z, 3) places of blocks.

    """
    write_atomic(folder / PARAMETERS, parameters.model_dump_json(indent=1) + "\n")
    x, y, z, _ = indices.shape
    _write_image(folder / INDICES, indices.transpose(2, 1, 0, 3).reshape(z * y, x, 3))
    width, height, depth, _ = atlas.shape
    images = atlas.transpose(2, 1, 0, 3).reshape(depth // SLICES, SLICES * height, width, 8)
    for number, image in enumerate(images):
        _write_image(folder / f"rgba_{number:03d}.png", image[..., [1, 2, 3, 0]])
        _write_image(folder / f"feature_{number:03d}.png", image[..., 4:])


def read_files(folder: Path) -> tuple[SceneParams, Bytes, Bytes]:
    """Return what ``write_files`` wrote.

    Raises:
        UserError: a file is missing or damaged; names it.

    """
    path = folder / PARAMETERS
    try:
        parameters = SceneParams.model_validate_json(read_json_bytes(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: damaged: {where}: {first['msg']}; export it again") from None
    x, y, z = parameters.grid.blocks
    indices = _read_image(folder / INDICES, (z * y, x, 3)).reshape(z, y, x, 3).transpose(2, 1, 0, 3)
    width, height, depth = parameters.texels
    if parameters.num_slices * SLICES != depth:
        raise UserError(
            f"{path}: damaged: {parameters.num_slices} images can't hold {depth} slices; export it again"
        )
    shape = (SLICES * height, width, 4)
    numbers = range(parameters.num_slices)
    colours = np.stack([_read_image(folder / f"rgba_{n:03d}.png", shape) for n in numbers])
    features = np.stack([_read_image(folder / f"feature_{n:03d}.png", shape) for n in numbers])
    images = np.concatenate([colours[..., [3, 0, 1, 2]], features], -1)
    atlas = images.reshape(depth, height, width, 8).transpose(2, 1, 0, 3)
    stored = indices[indices[..., 0] != EMPTY]
    blocks = (parameters.atlas_blocks_x, parameters.atlas_blocks_y, parameters.atlas_blocks_z)
    if len(stored) and (stored.max(0) >= np.array(blocks)).any():
        raise UserError(f"{folder / INDICES}: damaged: a block is outside the atlas; export it again")
    return parameters, np.ascontiguousarray(atlas), np.ascontiguousarray(indices)


def _write_image(path: Path, pixels: Bytes) -> None:
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(data, "PNG", compress_level=9)
    write_atomic(path, data.getvalue())


def _read_image(path: Path, shape: tuple[int, int, int]) -> Bytes:
    try:
        with open_file(path) as file, Image.open(file) as image:
            found = (image.height, image.width, len(image.getbands()))
            pixels: Bytes = np.asarray(image) if found == shape else np.empty(0, np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(f"{path}: damaged: not a whole PNG image; export it again") from None
    if found != shape:
        raise UserError(
            f"{path}: damaged: {found} where {PARAMETERS} says {shape} (rows, columns, channels); export it again"
        )
    return pixels
