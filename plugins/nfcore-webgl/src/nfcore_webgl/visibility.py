"""What images show of a field: how much macro cells, and single vertices, add to some ray of many views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import Cameras, OrbitRegion, SceneModel
from nfcore.geometry import ForwardRegion, NearbyRegion
from nfcore.viewer import camera_region
from nfcore_webgl.evaluator import Evaluator

#: Pixels of the largest side of the views, at most: a ray every other pixel at usual sizes.
_SIDE = 100
#: Rays at once.
_RAYS = 4096


@dataclass(frozen=True)
class Visibility:
    """What views show, weights first: the largest in any ray, 0 where nothing is seen.

    Args:
        cells: (X, Y, Z) of a sample in each macro cell.
        vertices: (x, y, z) of a sample at each vertex, times the vertex's share of it.
        depth: how many samples a ray shows that hits anything, in the mean.

    """

    cells: Tensor
    vertices: Tensor
    depth: float


@torch.no_grad()
def visibility(evaluator: Evaluator, cameras: Cameras) -> Visibility:
    """Return what ``cameras`` see of the field that ``evaluator`` draws."""
    shape, cell_shape = evaluator.header.grid.shape, evaluator.header.grid.cells
    x, y, z = shape
    cells, vertices = torch.zeros(cell_shape).flatten(), torch.zeros(shape).flatten()
    last = torch.tensor(shape) - 2
    shown = hit = 0
    for index in range(len(cameras)):
        for rays in cameras[index].rays().flat().split(_RAYS):
            samples = evaluator.samples(rays)
            seen = samples.ray[samples.weight > evaluator.header.march.least]
            shown, hit = shown + len(seen), hit + len(seen.unique())
            cell = _linear(evaluator.cell_of(samples.place), cell_shape)
            cells.scatter_reduce_(0, cell, samples.weight, "amax")
            low = samples.place.floor().long().clamp_min(0).minimum(last)
            share = samples.place - low
            for corner in range(8):
                offset = torch.tensor([corner >> axis & 1 for axis in range(3)])
                weight = samples.weight * torch.where(offset > 0, share, 1 - share).prod(1)
                vertices.scatter_reduce_(0, _linear(low + offset, shape), weight, "amax")
    return Visibility(cells.view(cell_shape), vertices.view(x, y, z), shown / max(1, hit))


def visited(model: SceneModel, count: int) -> Cameras:
    """Return the reference cameras of ``model``, and ``count`` more from where a viewer's camera may go."""
    cameras = model.cameras.to("cpu")
    generator = torch.Generator().manual_seed(0)
    small = _small(cameras)
    more = list(_more(model, cameras, count, generator))
    if not more:
        return small
    poses = torch.cat([small.poses, *more])
    intrinsics = torch.cat([small.intrinsics, small.intrinsics[:1].expand(len(poses) - len(small), -1)])
    return Cameras(poses, intrinsics, small.height, small.width)


def _more(model: SceneModel, cameras: Cameras, count: int, generator: torch.Generator) -> Iterator[Tensor]:
    if count == 0:
        return
    if model.scene.forward_facing:
        yield ForwardRegion.around(cameras).sample(count, generator)
    elif camera_region(model)["kind"] == "orbit":
        yield OrbitRegion.around(cameras).sample(count, generator)
    elif len(cameras) > 1:
        yield NearbyRegion.around(cameras).sample(count, generator).poses


def _small(cameras: Cameras) -> Cameras:
    factor = max(1, max(cameras.height, cameras.width) / _SIDE)
    height, width = (max(1, round(side / factor)) for side in (cameras.height, cameras.width))
    return cameras.resized(height, width)


def _linear(places: Tensor, shape: tuple[int, int, int]) -> Tensor:
    x, y, z = places.unbind(1)
    return (x * shape[1] + y) * shape[2] + z
