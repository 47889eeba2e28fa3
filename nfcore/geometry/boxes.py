"""The depths at which rays enter and leave an axis-aligned box."""

from __future__ import annotations

import torch
from torch import Tensor

#: Replaces smaller components of a direction, by which a division would overflow.
LEAST_COMPONENT = 1e-6


def box_depths(
    origins: Tensor, directions: Tensor, lower: Tensor, upper: Tensor, dim: int = 1
) -> tuple[Tensor, Tensor]:
    """Return the depths at which rays enter and leave a box (slab method; Kay and Kajiya 1986).

    Args:
        origins: (.., 3, ..) scene units.
        directions: (.., 3, ..); components may be zero.
        lower: the box's lower corner, in a shape that broadcasts with the rays.
        upper: the box's upper corner, in the same shape.
        dim: the axis of the three coordinates.

    Returns:
        Entry and exit, (.., 1, ..) each, finite and 0 <= entry <= exit. A ray that starts inside enters at 0. For
        a ray that misses, both are the mean of the last entry into a slab and the first exit from one, or 0 where
        that is behind its origin. Differentiable.

    >>> lower, upper = -torch.ones(1, 3), torch.ones(1, 3)
    >>> box_depths(torch.tensor([[0.0, 0.0, 4.0]]), torch.tensor([[0.0, 0.0, -1.0]]), lower, upper)
    (tensor([[3.]]), tensor([[5.]]))

    """
    small = directions.abs() < LEAST_COMPONENT
    slopes = torch.where(small, LEAST_COMPONENT, directions)
    to_lower, to_upper = (lower - origins) / slopes, (upper - origins) / slopes
    entry = torch.minimum(to_lower, to_upper).amax(dim, keepdim=True)
    exit_ = torch.maximum(to_lower, to_upper).amin(dim, keepdim=True)
    middle = (entry + exit_) / 2
    return torch.minimum(entry, middle).clamp(min=0), torch.maximum(exit_, middle).clamp(min=0)
