"""Trilinear interpolation of a cell's eight rows, all numbers of a row at once."""

from __future__ import annotations

from numba import types

from nfcore.kernels.compile import lowered
from nfcore.kernels.vectors import (
    F32,
    I32,
    Typed,
    Value,
    corner_rows,
    load,
    multiply_add,
    pointer,
    splat,
    store,
    subtract,
    vector,
)


@lowered
def interpolate_row(
    typing: Value, lanes: Value, table: Value, corners: Value, cell: Value,
    x: Value, y: Value, z: Value, out: Value, at: Value,
) -> Typed:  # fmt: skip
    """``interpolate_row(lanes, table, corners, cell, x, y, z, out, at)``: out[at:at+V] = a row between eight.

    ``x``, ``y`` and ``z`` in [0, 1] are float32. Returns the first number, the raw density, and writes 1 in its
    place: the sum of weights times rows then begins with the opacity.
    """

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        kind = vector(lanes)
        rows, numbers, to = (pointer(context, builder, signature.args[i], arguments[i]) for i in (1, 2, 7))
        values = [load(builder, rows, i, kind) for i in corner_rows(builder, numbers, arguments[3], len(lanes))]
        for share in (arguments[6], arguments[5], arguments[4]):  # z first: its neighbours are next to each other
            share = splat(builder, share, kind)
            values = [
                multiply_add(builder, share, subtract(builder, high, low), low)
                for low, high in zip(values[::2], values[1::2], strict=True)
            ]
        raw = builder.extract_element(values[0], I32(0))
        store(builder, to, arguments[8], builder.insert_element(values[0], F32(1.0), I32(0)))
        return raw

    number = types.float32
    arguments = (lanes, table, corners, types.intp, number, number, number, out, types.intp)
    return number(*arguments), generate
