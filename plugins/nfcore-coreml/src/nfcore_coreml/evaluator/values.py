"""MIL values: a program's constants as torch tensors, and the declared types of results.

Floats of any width are stored as float32, integers as int64, because torch supports those everywhere; the
declared type decides how a result is rounded. Strings, which only name modes, stay strings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from nfcore_coreml.evaluator.weights import BlobStorage
from nfcore_coreml.toolchain import MIL_pb2

Value: TypeAlias = Tensor | str


class Element(NamedTuple):
    """How the elements of one MIL data type are stored.

    ``numpy`` is the type once unpacked, ``bits`` the width in storage, ``blob`` the type's number in blob storage
    (StorageFormat.hpp, BlobDataType).
    """

    numpy: str
    bits: int
    blob: int


ELEMENTS = {
    MIL_pb2.FLOAT16: Element("<f2", 16, 1),
    MIL_pb2.FLOAT32: Element("<f4", 32, 2),
    MIL_pb2.UINT8: Element("u1", 8, 3),
    MIL_pb2.BOOL: Element("?", 8, 3),
    MIL_pb2.INT8: Element("i1", 8, 4),
    MIL_pb2.INT16: Element("<i2", 16, 6),
    MIL_pb2.UINT16: Element("<u2", 16, 7),
    MIL_pb2.INT4: Element("i1", 4, 8),
    MIL_pb2.UINT1: Element("u1", 1, 9),
    MIL_pb2.UINT2: Element("u1", 2, 10),
    MIL_pb2.UINT4: Element("u1", 4, 11),
    MIL_pb2.UINT3: Element("u1", 3, 12),
    MIL_pb2.UINT6: Element("u1", 6, 13),
    MIL_pb2.INT32: Element("<i4", 32, 14),
    MIL_pb2.UINT32: Element("<u4", 32, 15),
}

#: The lists of a protobuf value that contain numbers, not bytes.
_NUMBERS = frozenset({"floats", "ints", "bools", "longInts", "doubles"})


@dataclass(frozen=True)
class Declared:
    """The type that a program declares for a value: an element type and a shape.

    Args:
        data_type: a number of ``MIL_pb2.DataType``.
        shape: the sizes; None for one that is known only when the program runs.

    """

    data_type: int
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, value_type: MIL_pb2.ValueType) -> Declared:
        """Return the declared type.

        Raises:
            NotImplementedError: it is no tensor, or its number of axes is known only when the program runs.

        """
        kind = value_type.WhichOneof("type")
        if kind != "tensorType":
            raise NotImplementedError(f"values of {kind} are not supported")
        tensor = value_type.tensorType
        if any(dimension.unknown.variadic for dimension in tensor.dimensions):
            raise NotImplementedError("shapes of any number of axes are not supported")
        sizes = (d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in tensor.dimensions)
        return cls(tensor.dataType, tuple(sizes))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape of a value whose sizes are all known before the program runs, such as a constant.

        Raises:
            ValueError: a size is known only when the program runs.

        """
        known = tuple(size for size in self.shape if size is not None)
        if len(known) < len(self.shape):
            raise ValueError(f"the shape of {self} is known only when the program runs")
        return known

    @property
    def size(self) -> int:
        """The number of elements.

        Raises:
            ValueError: a size is known only when the program runs.

        """
        return math.prod(self.sizes)

    def fits(self, shape: Sequence[int]) -> bool:
        """Return whether ``shape`` is the declared shape."""
        return len(shape) == len(self.shape) and all(
            declared in (None, size) for declared, size in zip(self.shape, shape, strict=True)
        )

    def hold(self, value: Tensor) -> Tensor:
        """Return ``value`` as a tensor of this type, fp16 rounded and stored as float32."""
        if self.data_type == MIL_pb2.FLOAT16:
            return value.to(torch.float16).float()
        if self.data_type == MIL_pb2.FLOAT32:
            return value.float()
        return value.to(torch.bool if self.data_type == MIL_pb2.BOOL else torch.int64)

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{MIL_pb2.DataType.Name(self.data_type).lower()} [{sizes}]"


def decode(value: MIL_pb2.Value, blobs: BlobStorage) -> Value:
    """Return a constant of the program, read from itself or from ``blobs``.

    Raises:
        ValueError: its content does not match its declaration.
        NotImplementedError: the evaluator does not support its type.
        UserError: its blob file is damaged.

    """
    declared = Declared.of(value.type)
    immediate = value.immediateValue.tensor
    kind = immediate.WhichOneof("value")
    if declared.data_type == MIL_pb2.STRING:
        if kind != "strings" or len(immediate.strings.values) != 1:
            raise ValueError("a string constant holds no string")
        return str(immediate.strings.values[0])
    if declared.data_type not in ELEMENTS:
        raise NotImplementedError(f"constants of {declared} are not supported")
    element = ELEMENTS[declared.data_type]
    count = declared.size
    size = -(-count * element.bits // 8)
    if value.HasField("blobFileValue"):
        blob = value.blobFileValue
        numbers = unpack(blobs.read(blob.fileName, blob.offset, element.blob, size), element, count)
    elif kind == "bytes" and len(immediate.bytes.values) == size:
        numbers = unpack(immediate.bytes.values, element, count)
    elif kind in _NUMBERS and len(getattr(immediate, kind).values) == count:
        numbers = np.array(list(getattr(immediate, kind).values))
    else:
        raise ValueError(f"a constant of {declared} does not have its {count} numbers")
    wide = np.float32 if numbers.dtype.kind == "f" else np.int64
    return declared.hold(torch.from_numpy(numbers.astype(wide).reshape(declared.shape)))


def unpack(data: bytes, element: Element, count: int) -> np.ndarray:
    """Return ``count`` numbers; those narrower than a byte are packed, least significant bit first."""
    if element.bits >= 8:
        return np.frombuffer(data, element.numpy)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * element.bits]
    weights = 1 << np.arange(element.bits)
    if element.numpy == "i1":
        weights[-1] = -weights[-1]  # two's complement
    return bits.reshape(-1, element.bits) @ weights
