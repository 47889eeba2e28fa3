"""Sets of the 64 cells of a block as the bits of one number, x slowest."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types

from nfcore.kernels.compile import kernel, lowered
from nfcore.kernels.records import Number
from nfcore.kernels.vectors import I64, Typed, Value, cgutils

_ONE = np.uint64(1)


@lowered
def count_bits(typing: Value, bits: Value) -> Typed:
    """``count_bits(bits)``: how many bits of a uint64 are set."""

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        kind = ir.FunctionType(I64, [I64])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.ctpop.i64"), arguments)

    return types.int64(types.uint64), generate


@kernel
def has_bit(bits: Number, place: Number) -> Number:
    """Return whether the bit at ``place`` of a uint64 is set."""
    return (bits >> place) & _ONE != 0
