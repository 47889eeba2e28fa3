"""What a mesh does not need: what no camera sees, floaters, and more triangles than its shape takes."""

from __future__ import annotations

import fast_simplification
import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from nfcore import Cameras
from nfcore.geometry import rasterise
from nfcore_mesh.surface import Lattice, Mesh

# Rings of neighbours that are kept around what is seen: a surface has no holes at its silhouette then.
_RINGS = 3


def seen_part(mesh: Mesh, cameras: Cameras, lattice: Lattice, voxels: float) -> Mesh:
    """Return what at least one of ``cameras`` sees, and a margin around it.

    Args:
        mesh: of any size.
        cameras: from where it is looked at.
        lattice: the grid that the mesh was made on.
        voxels: a vertex is seen up to this far behind the surface, in voxels.

    """
    seen = torch.zeros(len(mesh.vertices), dtype=torch.bool)
    tolerance = voxels * torch.as_tensor(lattice.voxel_size(mesh.vertices))
    for camera in cameras:
        seen |= visible(mesh, camera, tolerance)
    for _ in range(_RINGS):
        touched = seen[mesh.triangles].any(1)
        seen[mesh.triangles[touched].flatten()] = True
    return mesh.kept(seen[mesh.triangles].all(1))


def visible(mesh: Mesh, camera: Cameras, tolerance: Tensor) -> Tensor:
    """Return which vertices (v,) one camera sees, up to ``tolerance``, scene units, behind the surface."""
    depth = rasterise(mesh.vertices, mesh.triangles, camera).depth
    pose, (fx, fy, cx, cy) = camera.poses[0], camera.intrinsics[0].tolist()
    local = (mesh.vertices - pose[:, 3]) @ pose[:, :3]
    along = -local[:, 2].clamp(max=-1e-9)
    column = (fx * local[:, 0] / along + cx).floor().long()
    row = (cy - fy * local[:, 1] / along).floor().long()
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height) & (local[:, 2] < 0)
    there = depth[row.clamp(0, camera.height - 1), column.clamp(0, camera.width - 1)]
    seen: Tensor = inside & (along <= there + tolerance)
    return seen


def without_floaters(mesh: Mesh, share: float) -> Mesh:
    """Return the mesh without connected parts that have less than ``share`` of the area."""
    count = len(mesh.vertices)
    a, b, c = mesh.triangles.T.numpy()
    ones = np.ones(2 * len(mesh.triangles), bool)
    graph = coo_matrix((ones, (np.concatenate([a, b]), np.concatenate([b, c]))), (count, count))
    parts, label = connected_components(graph, directed=False)
    part = torch.from_numpy(label.astype(np.int64))[mesh.triangles[:, 0]]
    areas = torch.zeros(parts).index_add_(0, part, mesh.areas)
    return mesh.kept((areas >= share * areas.sum())[part])


def simplified(mesh: Mesh, triangles: int) -> Mesh:
    """Return the mesh with about ``triangles`` at most, by quadric errors (Garland and Heckbert 1997)."""
    if len(mesh.triangles) <= triangles:
        return mesh
    vertices, indices = fast_simplification.simplify(
        mesh.vertices.numpy(), mesh.triangles.int().numpy(), target_count=triangles
    )
    return Mesh(torch.from_numpy(vertices).float(), torch.from_numpy(indices.astype(np.int64)))
