"""How well a mesh agrees with the field that it was made from: silhouettes and depths."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nfcore import Cameras, FittedTeacher
from nfcore.geometry import rasterise
from nfcore.views import render_view
from nfcore_mesh.surface import Lattice, Mesh

_OPAQUE = 0.5


@dataclass(frozen=True)
class Agreement:
    """Mesh against field, in the mean over views.

    Args:
        silhouette_iou: pixels that both cover, as a share of those that one of them covers, in [0, 1].
        depth_error: median difference in depth where both are, in voxels of the mesh's grid.

    """

    silhouette_iou: float
    depth_error: float


def agreement(mesh: Mesh, model: FittedTeacher, cameras: Cameras, lattice: Lattice) -> Agreement:
    """Compare ``mesh`` with what the teacher renders at ``cameras``.

    >>> agreement(mesh, model, source.views("test").cameras, lattice)  # doctest: +SKIP
    Agreement(silhouette_iou=0.98, depth_error=0.4)
    """
    overlaps, errors = [], []
    for camera in cameras:
        seen, hits = render_view(model.teacher, camera), rasterise(mesh.vertices, mesh.triangles, camera)
        opaque, hit = seen.opacity.cpu() > _OPAQUE, hits.face >= 0
        either, both = int((opaque | hit).sum()), opaque & hit
        if not either:
            continue
        overlaps.append(int(both.sum()) / either)
        if both.any():
            rays = camera.rays()
            points = rays.origins[0] + hits.depth[..., None].nan_to_num(posinf=0) * rays.directions[0]
            voxel = torch.as_tensor(lattice.voxel_size(points[both]))
            errors.append(float(((hits.depth - seen.depth.cpu())[both].abs() / voxel).median()))
    return Agreement(_mean(overlaps, 1.0), _mean(errors, 0.0))


def _mean(values: list[float], nothing: float) -> float:
    return sum(values) / len(values) if values else nothing
