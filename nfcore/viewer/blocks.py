"""Blocks of data in a page or in files next to it: deflated, and described by size and checksum."""

from __future__ import annotations

import zlib

from pydantic import BaseModel, ConfigDict, Field

from nfcore.errors import UserError


class BlockRecord(BaseModel):
    """A block of data before it is deflated (zlib).

    >>> block_record(b"abc")
    BlockRecord(bytes=3, crc32=891568578)

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(0, ge=0, le=1 << 31, description="Size when inflated")
    crc32: int = Field(0, ge=0, description="CRC-32 of the inflated bytes")


def block_record(data: bytes) -> BlockRecord:
    """Return the record of a block's ``data``."""
    return BlockRecord(bytes=len(data), crc32=zlib.crc32(data))


def inflate_block(packed: bytes, record: BlockRecord, block: str, file: str) -> bytes:
    """Return the data of a deflated block; a few bytes can't inflate to gigabytes.

    >>> inflate_block(zlib.compress(b"abc"), block_record(b"abc"), "codes", "page.html")
    b'abc'

    Args:
        packed: the deflated data.
        record: what its header says of it.
        block: its name, for errors.
        file: the file that it is from, for errors.

    Raises:
        UserError: it is damaged, or another block than ``record`` describes.

    """
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(packed, record.bytes + 1)
    except zlib.error:
        data = b""
    if not inflater.eof and len(data) <= record.bytes:
        raise UserError(f"{file}: the data block {block!r} is damaged or cut short; export it again")
    if len(data) != record.bytes or zlib.crc32(data) != record.crc32:
        raise UserError(f"{file}: the data block {block!r} is not the one that its header describes")
    return data
