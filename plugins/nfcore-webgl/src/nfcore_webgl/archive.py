"""A baked field as files: a header and blocks of data, the same in the export's folder and in its page."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nfcore import BakedField, UserError
from nfcore.io import read_file, read_text, write_atomic
from nfcore.viewer import read_element
from nfcore_webgl.cells import corners_of_cells, distances
from nfcore_webgl.coding import CodedField
from nfcore_webgl.header import BlockRecord, Blocks, Header, describe
from nfcore_webgl.vertices import decode, encode

#: The header's file, and its name in a page's card.
HEADER = "field"
#: Bytes of a page or a block, at most.
MOST_PAGE = 1 << 30
_NAMES = ("distances", "stored", "codes")


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
            blocks = {block: base64.b64decode(read_element(page, block), validate=True) for block in _NAMES}
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
        """Return the field, and its occupied macro cells (X, Y, Z) bool; ``name`` is the file's, for errors.

        Raises:
            UserError: a block is damaged.

        """
        grid, density = self.header.grid, self.header.density
        shape = grid.shape[::-1]
        bits = self._inflated("stored", name)
        if len(bits) != -(-math.prod(shape) // 8):
            raise UserError(f"{name}: damaged: its grid has {math.prod(shape)} vertices, not {8 * len(bits)}")
        away = self._inflated("distances", name).reshape(grid.cells[::-1])
        stored = np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
        differences = self._inflated("codes", name).reshape(1 + self.header.values, -1)
        if differences.shape[1] != stored.sum():
            raise UserError(f"{name}: damaged: {differences.shape[1]} codes for {stored.sum()} stored vertices")
        codes = np.concatenate([np.zeros((1, len(differences)), np.uint8), decode(differences, stored)])
        rows = torch.zeros(shape, dtype=torch.int32)
        rows[torch.from_numpy(stored)] = torch.arange(1, len(codes), dtype=torch.int32)
        field = CodedField(rows.permute(2, 1, 0), torch.from_numpy(codes), density.low, density.high)
        return field, torch.from_numpy(away == 0).permute(2, 1, 0)

    def _inflated(self, block: str, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        record: BlockRecord = getattr(self.header.blocks, block)
        inflater = zlib.decompressobj()
        try:  # no more than the header says: a few bytes may inflate to gigabytes
            data = inflater.decompress(self.blocks[block], record.bytes + 1)
        except zlib.error:
            data = b""
        if not inflater.eof and len(data) <= record.bytes:
            raise UserError(f"{name}: the data block {block!r} is damaged or cut short; export it again")
        if len(data) != record.bytes or zlib.crc32(data) != record.crc32:
            raise UserError(f"{name}: the data block {block!r} is not the one that its header describes")
        return np.frombuffer(data, np.uint8)


def archive(
    baked: BakedField,
    field: CodedField,
    cells: Tensor,
    tolerance: Callable[[Tensor], Tensor],
    width: int,
    height: int,
) -> Archive:
    """Return ``baked``, coded as ``field``, as an archive.

    Args:
        baked: all that is not in ``field``.
        field: codes of all vertices; those that no occupied cell touches are left out.
        cells: (X, Y, Z) bool, the occupied macro cells.
        tolerance: by how much values of vertices may be off: (m,) for their linear indices (m,), x slowest.
        width: of the reference image, pixels.
        height: of the reference image, pixels.

    """
    shape = baked.shape
    stored = (corners_of_cells(cells, shape) & (field.rows > 0)).permute(2, 1, 0)
    z, y, x = stored.nonzero(as_tuple=True)
    codes = field.codes[field.rows[x, y, z].long()]
    off = tolerance((x * shape[1] + y) * shape[2] + z)
    differences, _ = encode(codes.numpy(), stored.numpy(), off.long().numpy())
    data = {
        "distances": distances(cells).permute(2, 1, 0).contiguous().numpy().tobytes(),
        "stored": np.packbits(stored.numpy()).tobytes(),
        "codes": differences.tobytes(),
    }
    records = {name: BlockRecord(bytes=len(block), crc32=zlib.crc32(block)) for name, block in data.items()}
    header = describe(baked, field, Blocks(**records), width, height)
    return Archive(header, {name: _deflated(block) for name, block in data.items()})


def _deflated(data: bytes) -> bytes:
    # Differences have no repetitions to look for, only values that are more frequent than others.
    packer = zlib.compressobj(9, strategy=zlib.Z_FILTERED)
    return packer.compress(data) + packer.flush()
