"""A lattice of vertices over the cube [-1, 1]^3: the cell that contains a point, and its corners' weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def vertices(resolution: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the positions (resolution^3, 3) of all vertices in the cube, x slowest and z fastest."""
    axis = torch.linspace(-1, 1, resolution, device=device)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def locate(xyz: Sequence[Tensor], resolution: int) -> tuple[Tensor, list[Tensor]]:
    """Return the cell that contains each point, and the point's position within it.

    Args:
        xyz: three tensors of one shape (..), coordinates in the cube; points outside are moved to its faces.
        resolution: vertices along each axis.

    Returns:
        (..) int32, the linear index of each cell's lowest corner, and three tensors (..) in [0, 1].

    """
    cell: Tensor | None = None
    within = []
    for coordinate in xyz:
        place = (coordinate.clamp(-1, 1) + 1) * ((resolution - 1) / 2)
        lowest = place.floor().clamp(max=resolution - 2)
        within.append(place - lowest)
        cell = lowest.int() if cell is None else cell * resolution + lowest.int()
    assert cell is not None
    return cell, within


def corners(resolution: int) -> list[int]:
    """Return the index offsets of a cell's corners from its lowest one, in the order of ``corner_weights``."""
    return [(i * resolution + j) * resolution + k for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def corner_weights(within: Sequence[Tensor]) -> list[Tensor]:
    """Return the trilinear weights of a cell's eight corners, (..) each."""
    (x0, x1), (y0, y1), (z0, z1) = ((1 - place, place) for place in within)
    return [x * yz for x in (x0, x1) for yz in (y0 * z0, y0 * z1, y1 * z0, y1 * z1)]
