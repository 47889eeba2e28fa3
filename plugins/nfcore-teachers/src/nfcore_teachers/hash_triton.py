"""The Triton kernel of ``hash_kernel``. Import it only where Triton is installed."""

from __future__ import annotations

# ruff: noqa: N803 - Triton's compile-time constants are in capitals everywhere in the field
import triton
import triton.language as tl


@triton.jit
def trilinear(
    points, table, plan, features, n, levels, CHANNELS: tl.constexpr, BLOCK: tl.constexpr, SCATTER: tl.constexpr
):
    """Look up BLOCK points on one level, or add their features' gradients to the table's rows.

    Instant-NGP (Mueller et al. 2022), equation 4, with the row order of ``hash_encoding.vertices``.

    Args:
        points: (n, 3) float32.
        table: (rows, CHANNELS) float32; read, or added to.
        plan: (levels, 4) int32: resolution, first row, rows, whether hashed.
        features: (n, levels, CHANNELS) float32; written, or the gradients to scatter.
        n: number of points.
        levels: number of levels.
        CHANNELS: features at a vertex.
        BLOCK: points of one program.
        SCATTER: whether to add gradients instead of looking up.

    """
    level = tl.program_id(1)
    point = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    valid = point < n
    resolution = tl.load(plan + level * 4)
    first = tl.load(plan + level * 4 + 1)
    rows = tl.load(plan + level * 4 + 2)
    hashed = tl.load(plan + level * 4 + 3)

    scaled_x = tl.load(points + point * 3, mask=valid, other=0.0) * resolution
    scaled_y = tl.load(points + point * 3 + 1, mask=valid, other=0.0) * resolution
    scaled_z = tl.load(points + point * 3 + 2, mask=valid, other=0.0) * resolution
    last = (resolution - 1).to(tl.float32)
    low_x = tl.minimum(tl.maximum(tl.floor(scaled_x), 0.0), last)
    low_y = tl.minimum(tl.maximum(tl.floor(scaled_y), 0.0), last)
    low_z = tl.minimum(tl.maximum(tl.floor(scaled_z), 0.0), last)
    x, y, z = low_x.to(tl.int32), low_y.to(tl.int32), low_z.to(tl.int32)
    u, v, w = scaled_x - low_x, scaled_y - low_y, scaled_z - low_z
    side = resolution + 1
    place = (point.to(tl.int64) * levels + level) * CHANNELS

    for channel in tl.static_range(CHANNELS):
        if SCATTER:
            gradient = tl.load(features + place + channel, mask=valid, other=0.0)
        total = tl.zeros((BLOCK,), dtype=tl.float32)
        for corner in tl.static_range(8):
            # Constants without names: Triton refuses a second value for one that is declared in a loop.
            a, b, c = x + corner // 4, y + (corner // 2) % 2, z + corner % 2
            # Products wrap to 32 bits; -1640531535 is 2654435761 as a signed number.
            shared = (a ^ (b * -1640531535) ^ (c * 805459861)) & (rows - 1)
            own = a * side * side + b * side + c
            row = first + tl.where(hashed != 0, shared, own)
            weight_x = u if corner // 4 == 1 else 1.0 - u
            weight_y = v if (corner // 2) % 2 == 1 else 1.0 - v
            weight_z = w if corner % 2 == 1 else 1.0 - w
            weight = weight_x * weight_y * weight_z
            address = table + row.to(tl.int64) * CHANNELS + channel
            if SCATTER:
                tl.atomic_add(address, weight * gradient, mask=valid)
            else:
                total += weight * tl.load(address, mask=valid, other=0.0)
        if not SCATTER:
            tl.store(features + place + channel, total, mask=valid)
