"""Adam (Kingma and Ba 2015) on the rows that a step touched: a step leaves most of a sparse grid alone."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types

from nfcore.kernels.compile import kernel, lowered
from nfcore.kernels.prefetching import prefetch_row
from nfcore.kernels.records import TOUCHED_AT_ONCE, Bytes, Floats, Ints, Number
from nfcore.kernels.vectors import (
    F32,
    FAST,
    I64,
    Typed,
    Value,
    add_scaled,
    call,
    load,
    multiply,
    multiply_add,
    pointer,
    splat,
    store,
    subtract,
    vector,
)

# Instant-NGP's: rows that are rarely seen move as far as others.
_EPSILON = 1e-15
# Rows that are prefetched ahead of the one that takes its step.
_AHEAD = 16


@lowered
def _move_row(
    typing: Value, lanes: Value, table: Value, gradient: Value, mean: Value, square: Value, at: Value,
    rates: Value, lowest: Value, highest: Value, keep: Value, keep_square: Value, correction: Value,
) -> Typed:  # fmt: skip
    """Take one step with table[at:at+V], within bounds, and clear its gradient."""

    def generate(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        kind, at, zero = vector(lanes), arguments[5], I64(0)
        data, slopes, means, squares = (
            pointer(context, builder, signature.args[i], arguments[i]) for i in (1, 2, 3, 4)
        )
        rate, low, high = (
            load(builder, pointer(context, builder, signature.args[i], arguments[i]), zero, kind)
            for i in (6, 7, 8)
        )
        slope = load(builder, slopes, at, kind)
        store(builder, slopes, at, ir.Constant(kind, None))
        new = []
        for moments, keep, value in (
            (means, arguments[9], slope),
            (squares, arguments[10], multiply(builder, slope, slope)),
        ):
            before = load(builder, moments, at, kind)
            share = splat(builder, builder.fsub(F32(1.0), keep), kind)
            new.append(multiply_add(builder, share, subtract(builder, value, before), before))
            store(builder, moments, at, new[-1])
        root = call(builder, "sqrt", kind, multiply(builder, new[1], splat(builder, arguments[11], kind)))
        root = builder.fadd(root, splat(builder, F32(_EPSILON), kind))
        step = builder.fdiv(multiply(builder, rate, new[0]), root, flags=FAST)
        moved = subtract(builder, load(builder, data, at, kind), step)
        moved = call(builder, "minnum", kind, call(builder, "maxnum", kind, moved, low), high)
        store(builder, data, at, moved)
        return context.get_dummy_value()

    number = types.float32
    arrays = (table, gradient, mean, square, types.intp, rates, lowest, highest)
    return types.void(lanes, *arrays, number, number, number), generate


@kernel
def move_rows(
    lanes: tuple[int, ...],
    first: int,
    last: int,
    table: Floats,
    gradients: Floats,
    touched: Bytes,
    mean: Floats,
    square: Floats,
    rates: Floats,
    lowest: Floats,
    highest: Floats,
    keep: Number,
    keep_square: Number,
    correction: Number,
    found: Ints,
) -> int:
    """Take one step of Adam with the touched rows of ``first`` to ``last``; return how many there were.

    Rows that were not touched keep their moments: their update is deferred (the "lazy" Adam of embeddings).

    Args:
        lanes: as many zeros as a row has numbers V.
        first: the first row, a multiple of ``TOUCHED_AT_ONCE``.
        last: the row after the last, likewise; threads take ranges that do not overlap.
        table: (rows * V,) the parameters.
        gradients: (threads, rows * V) the gradient's parts, cleared.
        touched: (threads, n) 1 where a part is not 0, cleared; n is ``touched_size(rows)``.
        mean: (rows * V,) running mean of the gradient.
        square: (rows * V,) running mean of its square.
        rates: (V,) step sizes, divided by 1 - keep^t for step number t.
        lowest: (V,) lower bounds of the parameters.
        highest: (V,) upper bounds.
        keep: share of the mean that is kept, float32.
        keep_square: share of the squares that is kept, float32.
        correction: 1 / (1 - keep_square^t), float32.
        found: (n,) written from ``first`` on: the rows that were touched.

    """
    row, one, sums = len(lanes), np.float32(1), gradients[0]
    end = _find_rows(first, last, touched, found)
    for at in range(first, end):
        ahead = np.int64(found[min(at + _AHEAD, end - 1)]) * row
        prefetch_row(table, ahead)
        prefetch_row(mean, ahead)
        prefetch_row(square, ahead)
        for part in range(len(gradients)):
            prefetch_row(gradients[part], ahead)
        i = np.int64(found[at])
        touched[0, i] = 0
        for part in range(1, len(touched)):
            if touched[part, i]:
                touched[part, i] = 0
                add_scaled(lanes, sums, i * row, one, gradients[part], i * row)
                gradients[part, i * row : (i + 1) * row] = 0
        _move_row(lanes, table, sums, mean, square, i * row, rates, lowest, highest, keep, keep_square, correction)
    return end - first


@kernel
def _find_rows(first: int, last: int, touched: Bytes, found: Ints) -> int:
    """Write to ``found``, from ``first`` on, which rows were touched by any thread; return the end."""
    end = first
    groups = touched.view(np.uint64)
    for group in range(first // TOUCHED_AT_ONCE, last // TOUCHED_AT_ONCE):
        any_touched = groups[0, group]
        for part in range(1, len(groups)):
            any_touched |= groups[part, group]
        if any_touched:
            for i in range(group * TOUCHED_AT_ONCE, (group + 1) * TOUCHED_AT_ONCE):
                for part in range(len(touched)):
                    if touched[part, i]:
                        found[end] = i
                        end += 1
                        break
    return end
