"""Initial Gaussians of a fit: on points, with sizes from the distances between them."""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from nfcore import RaySource, Views
from nfcore.geometry import visual_hull
from nfcore_splats.gaussians import Gaussians

# The spacing of points is the mean distance to so many neighbours (the reference code's).
_NEIGHBOURS = 3
_OPACITY = 0.3
# Cells along the longest side of the box in which the silhouettes' hull is carved, and the least that helps.
_MOST_CELLS, _LEAST_CELLS = 96, 8


def initial(source: RaySource, most: int, generator: torch.Generator) -> Gaussians:
    """Return Gaussians of one colour: on the scene's points, on its visual hull, or anywhere in its box.

    Args:
        source: points, where it has them; else photos with alpha; else only its box.
        most: their maximum number.
        generator: chooses some if there are too many points.

    """
    known = source.points
    views = source.views("train")
    if known is not None and len(known):
        points, colours = known.positions, known.colours
    else:
        points = _on_hull(views, source, most) if views.alpha is not None else _anywhere(source, most, generator)
        colours = torch.full_like(points, 0.5)
    chosen = torch.randperm(len(points), generator=generator)[:most].sort().values
    points, colours = points[chosen], colours[chosen]
    return Gaussians.of_colours(points, spacing(points)[:, None].expand(-1, 3), colours, _OPACITY)


def spacing(points: Tensor) -> Tensor:
    """Return the mean distance (n,) of each point to its nearest neighbours, scene units; above 0."""
    array = points.double().numpy()
    count = min(_NEIGHBOURS + 1, len(points))
    distances, _ = cKDTree(array).query(array, k=[*range(2, count + 1)] if count > 1 else [1])
    mean = torch.from_numpy(distances).float().mean(1)
    positive = mean[mean > 0]
    typical = float(positive.median()) if len(positive) else 1.0
    return mean.clamp(0.1 * typical, 10 * typical)


def _on_hull(views: Views, source: RaySource, most: int) -> Tensor:
    """Return the centres of the cells on the visual hull's surface, in as fine a grid as ``most`` allows."""
    low, high = (torch.tensor(corner) for corner in source.scene.box)
    # The surface of a ball in a cube of s^3 cells has about 3 s^2 of them.
    cells = min(_MOST_CELLS, max(_LEAST_CELLS, int((most / 3) ** 0.5)))
    size = (high - low).max() / cells
    x, y, z = ((high - low) / size).round().clamp_min(1).int().tolist()
    cell = (high - low) / torch.tensor([x, y, z])
    hull = visual_hull(low, cell, (x, y, z), views.cameras.to("cpu"), views.silhouettes)
    filled = torch.nn.functional.pad(hull, (1, 1, 1, 1, 1, 1))
    inner = torch.ones_like(hull)
    for axis in range(3):
        for step in (0, 2):
            i, j, k = (step if axis == other else 1 for other in range(3))
            inner &= filled[i : i + x, j : j + y, k : k + z]
    return low + cell * ((hull & ~inner).nonzero() + 0.5)


def _anywhere(source: RaySource, most: int, generator: torch.Generator) -> Tensor:
    low, high = (torch.tensor(corner) for corner in source.scene.box)
    return low + (high - low) * torch.rand(most, 3, generator=generator)
