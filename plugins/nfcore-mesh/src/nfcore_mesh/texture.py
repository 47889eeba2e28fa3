"""A texture from views: what the surface shows in the mean over directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from nfcore import Cameras, Rendering, Teacher
from nfcore.geometry import Hits, rasterise
from nfcore.views import render_view
from nfcore_mesh.surface import Mesh

#: Pixels with less opacity show too much of the background.
OPAQUE = 0.9
# Sweeps over all views.
_SWEEPS = 4


@dataclass(frozen=True)
class Textured:
    """A mesh with a texture.

    Args:
        mesh: with a vertex for each corner of a chart: those at a seam are there several times.
        places: (v, 2) float32, u to the right and v down, in [0, 1].
        texture: (size, size, 3) float32 RGB in [0, 1].

    """

    mesh: Mesh
    places: Tensor
    texture: Tensor

    def colours(self, hits: Hits) -> Tensor:
        """Return (h, w, 3), the texture where pixels hit the mesh, and 0 elsewhere."""
        read = self._at(hits.interpolate(self.mesh.triangles, self.places))
        return read * (hits.face >= 0)[..., None]

    def at_vertices(self) -> Tensor:
        """Return the texture (v, 3) at the vertices."""
        return self._at(self.places)

    def _at(self, places: Tensor) -> Tensor:
        indices, weights = _bilinear(places, len(self.texture))
        return (self.texture.reshape(-1, 3)[indices] * weights[..., None]).sum(-2)


def painted(mesh: Mesh, places: Tensor, size: int, cameras: Cameras, teacher: Teacher) -> Textured:
    """Return the mesh with the texture that explains the teacher's views best, in the least squares sense.

    Texels are weighted by how much of a pixel they explain, pixels by the cosine between surface and ray; the
    error is spread over the texels in sweeps over all pixels of all views at once (SIRT: Gilbert 1972). What
    depends on the direction is thereby averaged.
    """
    total = torch.zeros(size * size, 3)
    pixels = [_pixels(mesh, places, size, camera, teacher) for camera in cameras]
    for _ in range(_SWEEPS):
        change, weight = torch.zeros_like(total), torch.zeros(size * size)
        for seen in pixels:
            error = seen.colour - (total[seen.texels] * seen.shares[..., None]).sum(1)
            share = seen.shares * seen.importance[:, None]
            change.index_add_(0, seen.texels.flatten(), (share[..., None] * error[:, None]).flatten(0, 1))
            weight.index_add_(0, seen.texels.flatten(), share.flatten())
        total += change / weight.clamp_min(1e-6)[:, None]
    return Textured(
        mesh, places, _filled(total.clamp(0, 1).reshape(size, size, 3), weight.reshape(size, size) > 1e-3)
    )


@dataclass(frozen=True)
class _Pixels:
    """n pixels of a view: their colours (n, 3), texels and shares (n, 4), and importance (n,)."""

    colour: Tensor
    texels: Tensor
    shares: Tensor
    importance: Tensor


def _pixels(mesh: Mesh, places: Tensor, size: int, camera: Cameras, teacher: Teacher) -> _Pixels:
    hits, seen = rasterise(mesh.vertices, mesh.triangles, camera), render_view(teacher, camera)
    chosen = (hits.face >= 0) & (seen.opacity.cpu() > OPAQUE)
    colour = foreground(seen, teacher.scene.background)[chosen]
    normals = mesh.face_normals[hits.face[chosen]]
    directions = torch.nn.functional.normalize(camera.rays().directions[0][chosen], dim=1)
    texels, shares = _bilinear(hits.interpolate(mesh.triangles, places)[chosen], size)
    return _Pixels(colour, texels, shares, (normals * directions).sum(1).abs())


def foreground(seen: Rendering, background: tuple[float, float, float]) -> Tensor:
    """Return a view's colours (h, w, 3) on the CPU without the background that shines through."""
    opacity = seen.opacity.cpu()[..., None]
    return (seen.rgb.cpu() - (1 - opacity) * torch.tensor(background)) / opacity.clamp_min(OPAQUE)


def _bilinear(places: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the four texels (..., 4) around each place (..., 2), and their shares."""
    position = (places * size - 0.5).clamp(0, size - 1)
    low = position.floor().clamp(max=size - 2)
    (u, v), (x, y) = (position - low).unbind(-1), low.long().unbind(-1)
    corner = y * size + x
    texels = torch.stack([corner, corner + 1, corner + size, corner + size + 1], -1)
    return texels, torch.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], -1)


def _filled(texture: Tensor, known: Tensor) -> Tensor:
    """Return the texture with each unknown texel as the nearest known one."""
    if not known.any():
        return texture
    _, (row, column) = distance_transform_edt(~known.numpy(), return_indices=True)
    return texture[torch.from_numpy(row.astype(np.int64)), torch.from_numpy(column.astype(np.int64))]
