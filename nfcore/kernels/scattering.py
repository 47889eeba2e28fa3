"""The backward pass of interpolation: a sample's gradient goes to the eight rows around it."""

from __future__ import annotations

from numba import types

from nfcore.kernels.compile import lowered
from nfcore.kernels.vectors import (
    I32,
    Typed,
    Value,
    corner_rows,
    load,
    multiply,
    pointer,
    splat,
    store,
    subtract,
    vector,
)


@lowered
def scatter(
    typing: Value, lanes: Value, gradient: Value, corners: Value, cell: Value,
    x: Value, y: Value, z: Value, row: Value, at: Value, weight: Value, first: Value,
) -> Typed:  # fmt: skip
    """``scatter(lanes, gradient, corners, cell, x, y, z, row, at, weight, first)``: add to a cell's rows.

    gradient[rows] += trilinear weights * (weight * row[at:at+V], with ``first`` in front). Each thread has a
    ``gradient`` of its own: no two write to one place at once.
    """

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        kind = vector(lanes)
        to, numbers, of = (pointer(context, builder, signature.args[i], arguments[i]) for i in (1, 2, 7))
        whole = multiply(builder, splat(builder, arguments[9], kind), load(builder, of, arguments[8], kind))
        shares = [builder.insert_element(whole, arguments[10], I32(0))]
        for place in (arguments[4], arguments[5], arguments[6]):
            high_share, parts = splat(builder, place, kind), []
            for share in shares:
                high = multiply(builder, share, high_share)
                parts += [subtract(builder, share, high), high]
            shares = parts
        for index, share in zip(corner_rows(builder, numbers, arguments[3], len(lanes)), shares, strict=True):
            store(builder, to, index, builder.fadd(load(builder, to, index, kind), share))
        return context.get_dummy_value()

    number = types.float32
    places = (number, number, number)
    return types.void(lanes, gradient, corners, types.intp, *places, row, types.intp, number, number), generate
