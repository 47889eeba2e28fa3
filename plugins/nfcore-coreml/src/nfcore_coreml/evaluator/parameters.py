"""Types of the parameters of MIL ops: tensors, or the defaults of the definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import Tensor

#: The function that runs one op; its parameters have MIL's names.
Op: TypeAlias = Callable[..., Tensor | Sequence[Tensor]]

#: A scalar parameter: a tensor from the program, or a default.
Number: TypeAlias = Tensor | float
Flag: TypeAlias = Tensor | bool

#: A vector parameter: a tensor from the program, or a default.
Vector: TypeAlias = Tensor | Sequence[int]


def ints(vector: Vector) -> list[int]:
    """Return a vector parameter as Python integers."""
    return [int(number) for number in vector]


def torch_pads(pads: list[int]) -> list[int]:
    """Return MIL's pads (before and after, first axis first) in torch's order: last axis first."""
    pairs = [pads[i : i + 2] for i in range(0, len(pads), 2)]
    return [number for pair in reversed(pairs) for number in pair]
