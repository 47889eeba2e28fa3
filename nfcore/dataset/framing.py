"""The bounds of a capture from poses and points: its kind, frame, depth range and box."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.geometry.orbits import look_at, nearest_point_to_axes
from nfcore.geometry.uprightness import upright
from nfcore.scene.cameras import Cameras, Rays

Box = tuple[tuple[float, float, float], tuple[float, float, float]]

#: Axes of a forward-facing capture are at most this far from their mean, as a cosine (45 degrees).
_FORWARD = 0.7
#: The object that cameras look at is within this share of the nearest camera's distance from the target.
_REACH = 0.6
#: Points are noisy: all but this share are between near and far, which have a margin.
_OUTLIERS = 0.001
NEAR_ROOM, _FAR_ROOM = 0.75, 1.1
#: Half the side of the smallest box, as a share of the same distance.
_LEAST_HALF = 0.1
#: Without points, a box around cameras that look outwards has this many times their extent.
_AROUND_CAMERAS = 2.0
#: An object is at most this many times as deep as its silhouettes are wide.
_DEPTH_OVER_WIDTH = 1.5
#: Least depth, as a share of the size of a box that contains cameras.
_NEAR_INSIDE = 0.02
#: Least alpha of a silhouette.
_OPAQUE = 0.5


@dataclass(frozen=True)
class Depths:
    """Depth of the nearest and of the farthest surface, scene units.

    >>> Depths(near=2.0, far=6.0)
    Depths(near=2.0, far=6.0)
    """

    near: float
    far: float


def forward_frame(poses: Tensor) -> Tensor:
    """Return the (4, 4) transform that moves the mean of ``poses`` (n, 3, 4) to the origin, looking along -z.

    As NeRF's LLFF loader recentres: the mean has the mean position, axis and y axis.
    """
    mean = look_at(poses[:, :, 3].mean(0)[None], (poses[:, :, 3] - poses[:, :, 2]).mean(0), poses[:, :, 1].mean(0))
    return _square(mean[0]).inverse()


def upright_frame(poses: Tensor, *, upside_down: bool = False) -> Tensor:
    """Return the (4, 4) transform that moves the point that ``poses`` (n, 3, 4) look at to the origin, +z up.

    With ``upside_down``, what the poses say is up becomes -z.
    """
    up = -upright(poses) if upside_down else upright(poses)
    # The x axis is the first camera's, levelled, so that the frame does not depend on rounding.
    right = poses[0, :, 0] - (poses[0, :, 0] @ up) * up
    if right.norm() < 1e-3:
        right = torch.linalg.cross(poses[0, :, 1], up)
    right = F.normalize(right, dim=0)
    rotation = torch.stack([right, torch.linalg.cross(up, right), up])
    return _square(torch.cat([rotation, -(rotation @ nearest_point_to_axes(poses))[:, None]], 1))


def moved_poses(frame: Tensor, poses: Tensor) -> Tensor:
    """Return ``poses`` (n, 3, 4) after a rigid transform (4, 4)."""
    return frame[:3, :3] @ poses + torch.cat([torch.zeros(3, 3, dtype=frame.dtype), frame[:3, 3:]], 1)


def moved_points(frame: Tensor, points: Tensor) -> Tensor:
    """Return ``points`` (m, 3) after a rigid transform (4, 4)."""
    return points @ frame[:3, :3].T + frame[:3, 3]


def looks_forward(poses: Tensor, nearest: float) -> bool:
    """Whether NDC fits: axes are near their mean, and all cameras are in front of the nearest surface.

    Args:
        poses: (n, 3, 4).
        nearest: depth of the nearest surface, scene units.

    """
    recentred = moved_poses(forward_frame(poses), poses)
    parallel = bool((F.normalize(recentred[:, :, 2], dim=-1)[:, 2] > _FORWARD).all())
    spread = (recentred[:, :, 3]).norm(dim=-1).max()
    # Cameras around an object are spread as far as it is away.
    return parallel and bool(recentred[:, 2, 3].min() > -nearest) and float(spread) < nearest


def forward_box(cameras: Cameras, depths: Depths, nearest: float) -> Box:
    """Return a box for a forward-facing scene: its frustum from the origin contains everything visible.

    Args:
        cameras: recentred.
        depths: of the scene's near and far plane.
        nearest: depth of the nearest surface: the box contains what cameras see between it and the far plane.

    """
    corners = _corner_rays(cameras)
    along = -corners.directions[:, 2].clamp(max=-0.05)
    slopes = []
    for depth in (nearest, depths.far):
        t = (depth + corners.origins[:, 2]) / along
        points = corners.origins + t[:, None] * corners.directions
        slopes.append(points[:, :2].abs().amax(0) / depth)
    x, y = (torch.stack(slopes).amax(0) * depths.far).tolist()
    return (-x, -y, -depths.far), (x, y, -depths.near)


def look_inward(poses: Tensor) -> bool:
    """Whether most cameras (n, 3, 4) look towards the point nearest to their axes; in a room, they look away.

    >>> look_inward(look_at(torch.tensor([[4.0, 0, 0], [0, 4, 0]]), torch.zeros(3), torch.tensor([0.0, 0, 1])))
    True
    """
    ahead = depths_of(poses, nearest_point_to_axes(poses)[None], None)
    return float((ahead > 0).float().mean()) > 0.5


def inner_box(poses: Tensor, points: Tensor | None) -> Box:
    """Return a box around what cameras look at.

    From all around an object, it contains all but the outermost hundredth of the ``points`` (m, 3) that are
    closer to where the axes meet than 0.6 times the nearest camera; without enough of them, it is a cube of half
    that size.
    If cameras look outwards, as in a room, it contains them and most of the points.
    """
    if not look_inward(poses):
        return _room(poses[:, :, 3], points)
    target = nearest_point_to_axes(poses)
    reach = _REACH * (poses[:, :, 3] - target).norm(dim=-1).min()
    inside = points[(points - target).norm(dim=-1) < reach] if points is not None else torch.empty(0, 3)
    if len(inside) < 20:
        low, high = target - reach / 2, target + reach / 2
    else:
        low, high = inside.quantile(torch.tensor([0.01, 0.99], dtype=inside.dtype), dim=0)
        margin = 0.05 * (high - low).clamp_min(2 * _LEAST_HALF * float(reach))
        low, high = low - margin, high + margin
    return _corner(low), _corner(high)


def _room(eyes: Tensor, points: Tensor | None) -> Box:
    """Return a box around cameras at ``eyes`` (n, 3) and what they see around them."""
    low, high = eyes.amin(0), eyes.amax(0)
    extent = (high - low).max().clamp_min(1e-6)
    if points is None or len(points) < 20:
        centre, half = (low + high) / 2, _AROUND_CAMERAS * extent / 2
        return _corner(centre - half), _corner(centre + half)
    seen_low, seen_high = points.quantile(torch.tensor([0.05, 0.95], dtype=points.dtype), dim=0)
    margin = _LEAST_HALF * extent
    return _corner(torch.minimum(low, seen_low) - margin), _corner(torch.maximum(high, seen_high) + margin)


def outer_box(cameras: Cameras, silhouettes: Iterable[Tensor]) -> Box:
    """Return a cube that contains the object whose ``silhouettes``, (h, w) alpha in [0, 1], the cameras see.

    Silhouettes show how wide the object is. Its depth, which cameras on a part of the sphere don't see, is assumed
    to be at most 1.5 times that. No camera is inside the cube. If most silhouettes touch the border of their
    photo, it is the largest cube between the cameras.
    """
    poses = cameras.poses
    target = nearest_point_to_axes(poses)
    largest = float(0.9 * (poses[:, :, 3] - target).abs().amax(1).min())
    radii = [_radius(camera, alpha, target) for camera, alpha in zip(cameras, silhouettes, strict=True)]
    whole = [radius for radius in radii if radius is not None]
    half = min(largest, _DEPTH_OVER_WIDTH * max(whole)) if 2 * len(whole) > len(radii) else largest
    return _corner(target - half), _corner(target + half)


def _radius(camera: Cameras, alpha: Tensor, target: Tensor) -> float | None:
    """Return how far a silhouette extends from the target, at its depth; None if the photo's border cuts it."""
    rows, columns = ((alpha > _OPAQUE).any(axis).nonzero()[:, 0] for axis in (1, 0))
    height, width = alpha.shape
    if not len(rows):
        return 0.0
    edges = torch.stack([columns[0], width - 1 - columns[-1], rows[0], height - 1 - rows[-1]])
    if int(edges.min()) == 0:
        return None
    x, y, z = (target - camera.poses[0, :, 3]) @ camera.poses[0, :, :3]
    fx, fy, cx, cy = camera.intrinsics[0] * torch.tensor([width / camera.width, height / camera.height] * 2)
    u, v = cx - fx * x / z, cy + fy * y / z
    across = torch.stack([columns[0] - u, columns[-1] + 1 - u]).abs().max() / fx
    down = torch.stack([rows[0] - v, rows[-1] + 1 - v]).abs().max() / fy
    return float(torch.maximum(across, down) * z.abs())


def depths_of(poses: Tensor, points: Tensor, seen_by: Tensor | None) -> Tensor:
    """Return the depths of ``points`` along optical axes: (m,) if ``seen_by`` (m,) names their cameras."""
    if seen_by is None:
        offsets = points[None] - poses[:, None, :, 3]
        return -(offsets * poses[:, None, :, 2]).sum(-1).flatten()
    return -((points - poses[seen_by][:, :, 3]) * poses[seen_by][:, :, 2]).sum(-1)


def visible_depths(cameras: Cameras, points: Tensor) -> Tensor:
    """Return the depths (k,) > 0, sorted, of ``points`` (m, 3) that are inside the images of ``cameras``."""
    subset = points[:: max(1, len(points) // 20_000)].float()
    depths = torch.cat([depths_in_view(camera, subset) for camera in cameras])
    return depths[depths > 0].sort().values


def depths_in_view(camera: Cameras, points: Tensor) -> Tensor:
    """Return the depths (m,) of ``points`` (m, 3) that are inside one camera's image, and 0 for the others."""
    pose, (fx, fy, cx, cy) = camera.poses[0], camera.intrinsics[0].tolist()
    x, y, z = ((points - pose[:, 3]) @ pose[:, :3]).unbind(1)
    u, v = cx - fx * x / z, cy + fy * y / z
    inside = (z < 0) & (u > 0) & (u < camera.width) & (v > 0) & (v < camera.height)
    return torch.where(inside, -z, 0.0)


def depth_range(depth: Tensor) -> Depths:
    """Return near and far for the sorted depths (k,) of reliable points: without outliers, with a margin.

    >>> depth_range(torch.linspace(4, 10, 100))
    Depths(near=3.0, far=11.0)
    """
    last = len(depth) - 1
    near, far = depth[round(_OUTLIERS * last)], depth[round((1 - _OUTLIERS) * last)]
    return Depths(float(near) * NEAR_ROOM, float(far) * _FAR_ROOM)


def depths_around(poses: Tensor, box: Box) -> Depths:
    """Return the depth range of ``box`` for cameras (n, 3, 4); near is more than 0 for those inside of it too."""
    low, high = torch.tensor(box, dtype=poses.dtype)
    corners = torch.cartesian_prod(*torch.stack([low, high], 1))
    depth = depths_of(poses, corners, None)
    reach = (poses[:, :, 3] - (low + high) / 2).norm(dim=-1).min()
    least = max(0.05 * float(reach), _NEAR_INSIDE * float((high - low).max()))
    return Depths(max(float(depth.min()), least), max(float(depth.max()), float(reach), 2 * least))


def _corner_rays(cameras: Cameras) -> Rays:
    """Return the rays through the four corners of each camera's image, (4 n, 3) each."""
    h, w = cameras.height, cameras.width
    fx, fy, cx, cy = cameras.intrinsics.unbind(1)
    x = torch.stack([(u - cx) / fx for u in (0, w, 0, w)], 1)
    y = torch.stack([-(v - cy) / fy for v in (0, 0, h, h)], 1)
    local = torch.stack([x, y, -torch.ones_like(x)], -1)
    directions = local @ cameras.poses[:, :, :3].transpose(1, 2)
    origins = cameras.poses[:, None, :, 3].expand_as(directions)
    return Rays(origins.reshape(-1, 3), directions.reshape(-1, 3))


def _square(pose: Tensor) -> Tensor:
    return torch.cat([pose, torch.tensor([[0.0, 0, 0, 1]], dtype=pose.dtype)])


def _corner(values: Tensor) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
