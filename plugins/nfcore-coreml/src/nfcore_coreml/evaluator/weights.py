"""MIL blob storage: the tensors of an ML Program that are stored in files next to it.

Format (version 2, little-endian; coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp): a header of 64 bytes,
then for each tensor a record of 64 bytes with a sentinel, the element type, and size and offset of the data. A
program refers to a tensor by the offset of its record.
"""

from __future__ import annotations

import struct
from pathlib import Path

import nfcore
from nfcore.io import read_file

HEADER = struct.Struct("<II56x")
RECORD = struct.Struct("<IIQQ40x")
VERSION = 2
#: Bytes of a blob file, at most: larger models don't fit on a phone.
_MOST = 4 << 30
SENTINEL = 0xDEADBEEF

#: The program's placeholder for its own folder.
FOLDER_VARIABLE = "@model_path/"


class BlobStorage:
    """The blob files of one package.

    Args:
        folder: the program's folder; file names are relative to it.
        package: the package; files outside it are rejected.

    """

    def __init__(self, folder: Path, package: Path) -> None:
        self._folder = folder
        self._package = package
        self._files: dict[str, bytes] = {}

    def read(self, file_name: str, offset: int, element_type: int, size: int) -> bytes:
        """Return the bytes of the tensor whose record is at ``offset``.

        Args:
            file_name: the name in the program, with ``@model_path`` for its own folder.
            offset: offset of the record, bytes.
            element_type: the element type in the program, a number of StorageFormat.hpp's BlobDataType.
            size: the tensor's size in the program, bytes.

        Raises:
            UserError: the file is missing, truncated, not blob storage, or contradicts the program.

        """
        data = self._file(file_name)
        if offset + RECORD.size > len(data):
            raise self._damaged(file_name, f"it ends at byte {len(data)}, before the record at {offset}")
        sentinel, stored_type, stored_size, start = RECORD.unpack_from(data, offset)
        if sentinel != SENTINEL:
            raise self._damaged(file_name, f"no tensor at byte {offset} (0x{sentinel:08x} for 0x{SENTINEL:08x})")
        if (stored_type, stored_size) != (element_type, size):
            raise self._damaged(
                file_name,
                f"the tensor at byte {offset} has {stored_size} bytes of type {stored_type}, "
                f"the program expects {size} of type {element_type}",
            )
        if start + size > len(data):
            raise self._damaged(file_name, f"it ends at byte {len(data)}, a tensor reaches to {start + size}")
        return data[start : start + size]

    def _file(self, name: str) -> bytes:
        if name not in self._files:
            self._files[name] = self._read_file(name)
        return self._files[name]

    def _read_file(self, name: str) -> bytes:
        path = self._folder / name.removeprefix(FOLDER_VARIABLE)
        if not path.resolve().is_relative_to(self._package.resolve()):
            raise nfcore.UserError(f"{self._package}: its program names weights outside the package: {name}")
        try:
            data = read_file(path, _MOST)
        except nfcore.UserError:
            raise self._damaged(name, "it is missing or unreadable") from None
        if len(data) < HEADER.size:
            raise self._damaged(name, f"it has {len(data)} bytes, fewer than a header")
        version = HEADER.unpack_from(data)[1]
        if version != VERSION:
            raise self._damaged(name, f"blob storage version {version}; only {VERSION} is supported")
        return data

    def _damaged(self, file_name: str, why: str) -> nfcore.UserError:
        return nfcore.UserError(
            f"{self._package}: damaged Core ML package: {file_name.removeprefix(FOLDER_VARIABLE)}: {why}"
        )
