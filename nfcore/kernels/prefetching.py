"""Prefetching: rows are fetched before they are needed; otherwise, most of a step is waiting for memory."""

from __future__ import annotations

from llvmlite import ir
from numba import types

from nfcore.kernels.compile import lowered
from nfcore.kernels.vectors import I32, Typed, Value, cgutils, corner_rows, pointer


@lowered
def prefetch_corners(typing: Value, lanes: Value, table: Value, corners: Value, cell: Value) -> Typed:
    """``prefetch_corners(lanes, table, corners, cell)``: prefetch the rows of a cell's eight corners."""

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        data, numbers = (pointer(context, builder, signature.args[i], arguments[i]) for i in (1, 2))
        for row in corner_rows(builder, numbers, arguments[3], len(lanes)):
            _prefetch(builder, data, row)
        return context.get_dummy_value()

    return types.void(lanes, table, corners, types.intp), generate


@lowered
def prefetch_row(typing: Value, table: Value, at: Value) -> Typed:
    """``prefetch_row(table, at)``: prefetch the row that begins at table[at]."""

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        _prefetch(builder, pointer(context, builder, signature.args[0], arguments[0]), arguments[1])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


def _prefetch(builder: Value, data: Value, index: Value) -> None:
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    # It will be written, belongs into all caches, and is data.
    builder.call(function, [builder.bitcast(builder.gep(data, [index]), byte), I32(1), I32(3), I32(1)])
