"""A baked field as files: a header and blocks of data, the same in the export's folder and in its page."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nfcore import UserError
from nfcore.io import read_file, read_text, write_atomic
from nfcore.viewer import block_record, inflate_block, read_element, unpack_bytes
from nfcore_webgl.cells import corners_of_voxels, distances, occupied_cells
from nfcore_webgl.coding import CodedField
from nfcore_webgl.header import Blocks, Header
from nfcore_webgl.vertices import Bytes, decode, encode

#: The header's file, and its name in a page's card.
HEADER = "field"
#: Bytes of a page or a block, at most.
MOST_PAGE = 1 << 30
_NAMES = ("distances", "occupied", "codes")


@dataclass(frozen=True)
class Archive:
    """A header and the blocks that it describes, deflated, by name."""

    header: Header
    blocks: Mapping[str, bytes]

    @property
    def bytes(self) -> int:
        """Size of all blocks."""
        return sum(map(len, self.blocks.values()))

    def write(self, folder: Path) -> None:
        """Write the header as JSON, and each block as a file, into ``folder``."""
        write_atomic(folder / f"{HEADER}.json", self.header.model_dump_json(indent=1) + "\n")
        for name, data in self.blocks.items():
            write_atomic(folder / f"{name}.bin", data)

    @classmethod
    def of_page(cls, page: str, name: str) -> Archive:
        """Return the archive in the HTML of a ``page``, the file ``name``.

        Raises:
            UserError: it is damaged, or no such page.

        """
        try:
            card = json.loads(read_element(page, "card"))
            header = Header.read(json.dumps(card[HEADER]), name)
            blocks = {block: unpack_bytes(read_element(page, block)) for block in _NAMES}
        except (LookupError, TypeError, ValueError):
            raise UserError(f"{name}: not a page of the exporter webgl, or damaged; export it again") from None
        return cls(header, blocks)

    @classmethod
    def of_folder(cls, folder: Path) -> Archive:
        """Return the archive whose files are in ``folder``.

        Raises:
            UserError: a file is missing or damaged.

        """
        path = folder / f"{HEADER}.json"
        try:
            header = Header.read(read_text(path), str(path))
            return cls(header, {block: read_file(folder / f"{block}.bin", MOST_PAGE) for block in _NAMES})
        except UserError as error:
            raise UserError(f"{folder}: not a whole baked field: {error}") from None

    def decoded(self, name: str) -> tuple[CodedField, Tensor]:
        """Return the field and its occupied voxels (x - 1, y - 1, z - 1) bool; ``name`` is the file's, for errors.

        Raises:
            UserError: a block is damaged.

        """
        grid, density = self.header.grid, self.header.density
        shape = [n - 1 for n in grid.shape[::-1]]
        bits = self._inflated("occupied", name)
        if len(bits) != -(-math.prod(shape) // 8):
            raise UserError(f"{name}: damaged: its grid has {math.prod(shape)} voxels, not {8 * len(bits)}")
        unpacked = np.unpackbits(bits, count=math.prod(shape)).astype(bool).reshape(shape)
        voxels = torch.from_numpy(unpacked).permute(2, 1, 0)
        stored = corners_of_voxels(voxels).permute(2, 1, 0)
        away = distances(occupied_cells(voxels)).permute(2, 1, 0).flatten()
        if not np.array_equal(self._inflated("distances", name), away):
            raise UserError(f"{name}: damaged: the distances are not those to its occupied voxels")
        differences = self._inflated("codes", name).reshape(1 + self.header.values, -1)
        if differences.shape[1] != stored.sum():
            raise UserError(f"{name}: damaged: {differences.shape[1]} codes for {stored.sum()} stored vertices")
        codes = np.concatenate([np.zeros((1, len(differences)), np.uint8), decode(differences, stored.numpy())])
        rows = torch.zeros(stored.shape, dtype=torch.int32)
        rows[stored] = torch.arange(1, len(codes), dtype=torch.int32)
        return CodedField(rows.permute(2, 1, 0), torch.from_numpy(codes), density.low, density.high), voxels

    def _inflated(self, block: str, name: str) -> Bytes:
        return np.frombuffer(
            inflate_block(self.blocks[block], getattr(self.header.blocks, block), block, name), np.uint8
        )


def archive(header: Header, field: CodedField, voxels: Tensor, tolerance: Tensor) -> Archive:
    """Return ``field`` as an archive.

    Args:
        header: all of it but the blocks' records.
        field: codes of all vertices; those that no occupied voxel touches are left out.
        voxels: (x - 1, y - 1, z - 1) bool, the occupied ones.
        tolerance: (v + 1, 1 + c) int64, by how much the codes may be off.

    """
    differences, _ = _encoded(field, voxels, tolerance)
    data = {
        "distances": distances(occupied_cells(voxels)).permute(2, 1, 0).contiguous().numpy().tobytes(),
        "occupied": np.packbits(voxels.permute(2, 1, 0).numpy()).tobytes(),
        "codes": differences.tobytes(),
    }
    blocks = Blocks(**{name: block_record(block) for name, block in data.items()})
    described = header.model_copy(update={"blocks": blocks})
    return Archive(described, {name: _deflated(block) for name, block in data.items()})


def rounded(field: CodedField, voxels: Tensor, tolerance: Tensor) -> Tensor:
    """Return the codes (v + 1, 1 + c) of ``field`` as they are decoded again; see ``archive``."""
    _, found = _encoded(field, voxels, tolerance)
    codes = torch.zeros_like(field.codes)
    codes[_stored_rows(field, voxels)] = torch.from_numpy(found)
    return codes


def _encoded(field: CodedField, voxels: Tensor, tolerance: Tensor) -> tuple[Bytes, Bytes]:
    rows = _stored_rows(field, voxels)
    stored = corners_of_voxels(voxels).permute(2, 1, 0)
    return encode(field.codes[rows].numpy(), stored.numpy(), tolerance[rows].numpy())


def _stored_rows(field: CodedField, voxels: Tensor) -> Tensor:
    """Return (m,) int64: rows of the stored vertices, x fastest."""
    stored = corners_of_voxels(voxels).permute(2, 1, 0)
    return field.rows.permute(2, 1, 0)[stored].long()


def _deflated(data: bytes) -> bytes:
    # Differences have no repetitions to look for, only values that are more frequent than others.
    packer = zlib.compressobj(9, strategy=zlib.Z_FILTERED)
    return packer.compress(data) + packer.flush()
