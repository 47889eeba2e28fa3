"""How much images depend on each code: what may be left out, and how far the rest may be rounded.

The sensitivity of a code in one view is the root of its entry of the diagonal of J^T J, where J are the
derivatives of the view's colours with respect to all codes. It is estimated without J by a random projection: the
square of J^T r, for random signs r, has that diagonal as its mean (Hutchinson 1990; Bekas, Kokiopoulou and Saad
2007). What counts is the view that depends most on the code: others do not make up for its loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import Cameras, OrbitRegion, Rays, SceneModel
from nfcore.geometry import ForwardRegion, NearbyRegion
from nfcore.viewer import camera_region
from nfcore_webgl.evaluator import Evaluator

#: About how many samples are evaluated: where rays have more of them, each view has fewer rays.
_SAMPLES = 2_500_000
#: Rays of a view, at least and at most.
_RAYS = 64, 1600


@dataclass(frozen=True)
class Importance:
    """What views show of a field.

    Args:
        cells: (X, Y, Z) the largest weight of a sample in each macro cell, 0 where nothing is seen.
        codes: (v + 1, 1 + c) root mean square, over colour values of the pixels of the view that depends most on
            a code, of the derivative: by how much they change if it is changed by one.
        depth: how many samples a ray shows that hits anything, in the mean.

    """

    cells: Tensor
    codes: Tensor
    depth: float


def importance(evaluator: Evaluator, cameras: Cameras) -> Importance:
    """Return how much what ``cameras`` see depends on the codes of the field that ``evaluator`` draws."""
    generator = torch.Generator().manual_seed(0)
    differentiable = evaluator.with_codes(torch.cat([evaluator.densities, evaluator.values], 1).float())
    codes = differentiable.densities.requires_grad_(), differentiable.values.requires_grad_()
    cells, sensitivity = torch.zeros(evaluator.cells.numel()), [torch.zeros_like(each) for each in codes]
    shown = hit = 0
    for rays in some_rays(evaluator, cameras, generator):
        samples = differentiable.samples(rays)
        rgb = differentiable.shaded(rays, samples)
        signs = 1.0 - 2.0 * torch.randint(0, 2, rgb.shape, generator=generator)
        for most, gradient in zip(sensitivity, torch.autograd.grad((rgb * signs).sum(), codes), strict=True):
            touched = gradient.coalesce()
            (row,) = touched.indices()
            most[row] = torch.maximum(most[row], touched.values().abs() / rgb.numel() ** 0.5)
        weight = samples.weight.detach()
        cells.scatter_reduce_(0, evaluator.cell_index(samples.place), weight, "amax")
        seen = samples.ray[weight > evaluator.header.march.least]
        shown, hit = shown + len(seen), hit + len(seen.unique())
    return Importance(cells.view(evaluator.cells.shape), torch.cat(sensitivity, 1), max(1.0, shown / max(1, hit)))


def some_rays(evaluator: Evaluator, cameras: Cameras, generator: torch.Generator) -> Iterator[Rays]:
    """Yield rays through random pixels of each of ``cameras``, with about 2.5 million samples in all."""
    first = _pixels(cameras[0], _RAYS[0], generator)
    along = max(1.0, len(evaluator.samples(first).ray) / len(first))
    least, most = _RAYS
    count = min(most, max(least, int(_SAMPLES / along / len(cameras))))
    for camera in cameras:
        yield _pixels(camera, count, generator)


def _pixels(camera: Cameras, count: int, generator: torch.Generator) -> Rays:
    rays = camera.rays().flat()
    return rays[torch.randperm(len(rays), generator=generator)[:count]]


def visited(model: SceneModel, count: int) -> Cameras:
    """Return the reference cameras of ``model``, and ``count`` more from where a viewer's camera may go."""
    cameras = model.cameras.to("cpu")
    generator = torch.Generator().manual_seed(0)
    more = list(_more(model, cameras, count, generator))
    if not more:
        return cameras
    poses = torch.cat([cameras.poses, *more])
    extra = len(poses) - len(cameras)
    intrinsics = torch.cat([cameras.intrinsics, cameras.intrinsics[:1].expand(extra, -1)])
    return Cameras(poses, intrinsics, cameras.height, cameras.width)


def _more(model: SceneModel, cameras: Cameras, count: int, generator: torch.Generator) -> Iterator[Tensor]:
    if count == 0:
        return
    if model.scene.forward_facing:
        yield ForwardRegion.around(cameras).sample(count, generator)
    elif camera_region(model)["kind"] == "orbit":
        yield OrbitRegion.around(cameras).sample(count, generator)
    elif len(cameras) > 1:
        yield NearbyRegion.around(cameras).sample(count, generator).poses
