"""Rows of V numbers as vectors: numba's loops leave half of the speed unused, so these write LLVM's instructions.

V is the length of the tuple ``lanes`` that is passed along (see ``records.Grid``). A machine without vectors of V
numbers uses shorter ones, or none: LLVM takes care of it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils

from nfcore.kernels.compile import lowered

F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
FAST = ("fast",)
Value = Any  # a value, a type or the builder of llvmlite or numba
cgutils: Any = _cgutils
Typed = tuple[Any, Any]


def pointer(context: Value, builder: Value, kind: Value, array: Value) -> Value:
    """Return where an array's data are."""
    return cgutils.create_struct_proxy(kind)(context, builder, value=array).data


def vector(lanes: Value) -> Value:
    """Return the type of a row."""
    return ir.VectorType(F32, len(lanes))


def load(builder: Value, data: Value, index: Value, row: Value) -> Value:
    """Return the row that begins at ``index``."""
    return builder.load(builder.bitcast(builder.gep(data, [index]), row.as_pointer()), align=4)


def store(builder: Value, data: Value, index: Value, value: Value) -> None:
    """Write a row to where ``index`` is."""
    builder.store(value, builder.bitcast(builder.gep(data, [index]), value.type.as_pointer()), align=4)


def splat(builder: Value, number: Value, row: Value) -> Value:
    """Return a row with the same number everywhere."""
    undefined = ir.Constant(row, ir.Undefined)
    first = builder.insert_element(undefined, number, I32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, row.count), [0] * row.count))


def multiply(builder: Value, a: Value, b: Value) -> Value:
    """Return a * b."""
    return builder.fmul(a, b, flags=FAST)


def subtract(builder: Value, a: Value, b: Value) -> Value:
    """Return a - b."""
    return builder.fsub(a, b, flags=FAST)


def multiply_add(builder: Value, a: Value, b: Value, c: Value) -> Value:
    """Return a * b + c."""
    return builder.fadd(builder.fmul(a, b, flags=FAST), c, flags=FAST)


def call(builder: Value, name: str, row: Value, *arguments: Value) -> Value:
    """Return LLVM's function ``name`` of rows, such as ``sqrt``."""
    kind = ir.FunctionType(row, [row] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{row.count}f32")
    return builder.call(function, arguments)


def corner_rows(builder: Value, corners: Value, cell: Value, row: int) -> list[Value]:
    """Return where the rows of the eight corners of ``cell`` begin."""
    first = builder.mul(cell, I64(8))
    places = [builder.load(builder.gep(corners, [builder.add(first, I64(corner))])) for corner in range(8)]
    return [builder.mul(builder.sext(place, I64), I64(row)) for place in places]


@lowered
def add_scaled(
    typing: Value, lanes: Value, total: Value, at: Value, scale: Value, row: Value, start: Value
) -> Typed:
    """``add_scaled(lanes, total, at, scale, row, start)``: total[at:at+V] += scale * row[start:start+V]."""

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        kind, (_, to, place, by, of, begin) = vector(lanes), arguments
        to = pointer(context, builder, signature.args[1], to)
        of = pointer(context, builder, signature.args[4], of)
        before, added = load(builder, to, place, kind), load(builder, of, begin, kind)
        store(builder, to, place, multiply_add(builder, splat(builder, by, kind), added, before))
        return context.get_dummy_value()

    return types.void(lanes, total, types.intp, types.float32, row, types.intp), generate


@lowered
def dot(typing: Value, lanes: Value, a: Value, at: Value, b: Value, start: Value) -> Typed:
    """``dot(lanes, a, at, b, start)``: the sum of a[at:at+V] * b[start:start+V]."""

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        kind, (_, first, place, second, begin) = vector(lanes), arguments
        left = load(builder, pointer(context, builder, signature.args[1], first), place, kind)
        right = load(builder, pointer(context, builder, signature.args[3], second), begin, kind)
        part, size = multiply(builder, left, right), len(lanes)
        while size > 1:  # halves are added until one number is left
            size //= 2
            halves = [
                builder.shuffle_vector(
                    part,
                    ir.Constant(part.type, ir.Undefined),
                    ir.Constant(ir.VectorType(I32, size), list(range(offset, offset + size))),
                )
                for offset in (0, size)
            ]
            part = builder.fadd(*halves, flags=FAST)
        return builder.extract_element(part, I32(0))

    return types.float32(lanes, a, types.intp, b, types.intp), generate
