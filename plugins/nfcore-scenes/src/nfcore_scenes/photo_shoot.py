"""The procedural scene photographed through real lenses, for the writers of capture formats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore import Rays
from nfcore.geometry import look_at
from nfcore_scenes.lenses import Lens
from nfcore_scenes.procedural import Procedural

#: Samples along each side of a pixel.
_SAMPLES = 2
#: Rays per side of each photo for finding points on surfaces.
_POINT_RAYS = 32
#: Relative depth tolerance: a point is visible in a photo unless its surface there is nearer by more than this.
_DEPTH_TOLERANCE = 0.01


#: The field of view of the procedural scene's own cameras.
PINHOLE = Lens("SIMPLE_PINHOLE", 1000, 1000, (1388.9, 500.0, 500.0))
#: A lens with as much distortion as a phone's wide one.
PHONE = Lens("OPENCV", 1000, 1000, (1150.0, 1150.0, 510.0, 490.0, -0.12, 0.03, 0.002, -0.001))


@dataclass(frozen=True)
class Shoot:
    """Photos of one scene through one lens, and points on its surfaces.

    Args:
        poses: (n, 3, 4) camera to world, OpenGL axes.
        lens: their lens.
        images: (n, height, width, 3) float32 RGB on the background, in [0, 1].
        alpha: (n, height, width) float32 in [0, 1], or None for photos with the background.
        background: RGB in [0, 1].
        points: (m, 3) on surfaces, scene units.
        colours: (m, 3) RGB in [0, 1].
        seen: (k, 4) observations: the point's index, the photo's index, and x, y in pixels.
        bounds: (n, 2) depth of the nearest and of the farthest visible point of each photo.

    """

    poses: Tensor
    lens: Lens
    images: Tensor
    alpha: Tensor | None
    background: tuple[float, float, float]
    points: Tensor
    colours: Tensor
    seen: Tensor
    bounds: Tensor

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def names(self) -> list[str]:
        """A file name for each photo."""
        return [f"{index:04d}.png" for index in range(len(self))]


def around_poses(n: int) -> Tensor:
    """Return ``n`` poses (n, 3, 4) on a path three times around the scene, with varying height and distance."""
    order = torch.arange(n, dtype=torch.float32) / n
    turn = 6 * math.pi * order
    height, radius = 1.9 + 0.9 * (2 * math.pi * order).cos(), 3.6 + 0.4 * (1.7 * turn).sin()
    eyes = torch.stack([radius * turn.cos(), radius * turn.sin(), height], 1)
    return look_at(eyes, torch.tensor([0.0, 0.0, -0.1]), torch.tensor([0.0, 0.0, 1.0]))


def forward_poses(n: int) -> Tensor:
    """Return ``n`` poses (n, 3, 4) on a golden-angle disc in front of the scene, with similar directions."""
    order = torch.arange(n, dtype=torch.float32)
    turn, radius = order * math.pi * (3 - math.sqrt(5)), 0.5 * ((order + 0.5) / n).sqrt()
    offsets = torch.stack([radius * turn.cos(), torch.zeros(n), radius * turn.sin()], 1)
    eyes = torch.tensor([0.0, -3.5, 1.4]) + offsets
    return look_at(eyes, torch.tensor([0.0, 0.0, -0.15]) + 0.8 * offsets, torch.tensor([0.0, 0.0, 1.0]))


def shoot(scene: Procedural, poses: Tensor, lens: Lens, alpha: bool) -> Shoot:
    """Photograph ``scene`` from ``poses`` (n, 3, 4) through ``lens``, by tracing the lens's exact rays.

    ``alpha`` says whether the photos have alpha, or show the background.
    """
    rgba = torch.stack([_photo(scene, pose, lens) for pose in poses])
    depth = torch.stack([_depth(scene, pose, lens) for pose in poses])
    points, colours = _surface_points(poses, lens, rgba, depth)
    return Shoot(
        poses=poses,
        lens=lens,
        images=rgba[..., :3].contiguous(),
        alpha=rgba[..., 3].contiguous() if alpha else None,
        background=scene.scene.background,
        points=points,
        colours=colours,
        seen=_sightings(poses, lens, points, depth),
        bounds=torch.stack([torch.stack(seen[seen > 0].aminmax()) for seen in depth]),
    )


def _photo(scene: Procedural, pose: Tensor, lens: Lens) -> Tensor:
    """Return an antialiased photo (h, w, 4): RGB on the background, and alpha."""
    fine = lens.scaled(_SAMPLES * lens.height, _SAMPLES * lens.width)
    seen = scene.render(lens_rays(fine, pose))
    samples = torch.cat([seen.rgb, seen.opacity[:, None]], 1).reshape(fine.height, fine.width, 4)
    return F.avg_pool2d(samples.permute(2, 0, 1), _SAMPLES).permute(1, 2, 0)


def _depth(scene: Procedural, pose: Tensor, lens: Lens) -> Tensor:
    """Return depth (h, w) along the optical axis at pixel centres, 0 in empty space."""
    return scene.render(lens_rays(lens, pose)).depth.reshape(lens.size)


def lens_rays(lens: Lens, pose: Tensor) -> Rays:
    """Return the rays (height * width, 3) through a photo's pixel centres; t is depth along the optical axis."""
    right, up, backward, origin = pose.unbind(1)
    x, y = torch.from_numpy(lens.slopes()).float().reshape(-1, 2, 1).unbind(1)
    directions = x * right - y * up - backward
    return Rays(origin.expand_as(directions), directions)


def _surface_points(poses: Tensor, lens: Lens, rgba: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Return points (m, 3) on the surfaces at a grid of each photo's pixels, and their colours (m, 3)."""
    step = max(1, min(lens.size) // _POINT_RAYS)
    points, colours = [], []
    for pose, picture, deep in zip(poses, rgba, depth, strict=True):
        rays = lens_rays(lens, pose)
        chosen = torch.zeros(lens.size, dtype=torch.bool)
        chosen[step // 2 :: step, step // 2 :: step] = True
        chosen &= deep > 0
        flat = chosen.flatten()
        points.append(rays.origins[flat] + deep[chosen][:, None] * rays.directions[flat])
        colours.append(picture[chosen][:, :3])
    return torch.cat(points), torch.cat(colours)


def _sightings(poses: Tensor, lens: Lens, points: Tensor, depth: Tensor) -> Tensor:
    """Return observations (k, 4): point index, photo index, and x, y in pixels."""
    found = []
    for index, pose in enumerate(poses):
        local = ((points - pose[:, 3]) @ pose[:, :3]) * torch.tensor([1.0, -1.0, -1.0])
        places = torch.from_numpy(lens.projected(local.double().numpy()))
        column, row = places.nan_to_num(nan=-1.0).floor().long().unbind(1)
        inside = (column >= 0) & (column < lens.width) & (row >= 0) & (row < lens.height) & (local[:, 2] > 0)
        there = inside.nonzero()[:, 0]
        surface = depth[index][row[there], column[there]]
        there = there[local[there, 2] < surface * (1 + _DEPTH_TOLERANCE)]
        numbers = torch.stack([there, torch.full_like(there, index)], 1)
        found.append(torch.cat([numbers, places[there]], 1))
    return torch.cat(found)
