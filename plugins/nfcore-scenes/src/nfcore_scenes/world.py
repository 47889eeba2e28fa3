"""The world of a recording: centred, upright or recentred, and the depths of what its cameras see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore.dataset import (
    NEAR_ROOM,
    Depths,
    depth_range,
    depths_around,
    forward_frame,
    inner_box,
    look_inward,
    looks_forward,
    upright_frame,
)
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.recording import Recording

#: Depths of at least so many points are a depth range.
_LEAST_DEPTHS = 20
#: A world whose origin is this many times farther from the cameras than they are from each other is centred:
#: geographic coordinates have more digits than float32.
_FAR_ORIGIN = 1000.0
#: At most so many points are looked for in each photo.
_MOST_POINTS = 20_000
#: Cosine of the angle between diverging axes of a forward-facing capture and their mean.
_ALIKE = 0.9
#: Mean height of the cameras' backward axes (a sine) below which they look up, as if photos were upside down.
_LOOKING_UP = -0.2


@dataclass(frozen=True)
class World:
    """A recording in the world of its ray source.

    Args:
        recording: with its poses and points in that world.
        forward_facing: whether all cameras look the same way.
        depths: of what the cameras see, from the files or from points; None where neither says so.

    """

    recording: Recording
    forward_facing: bool
    depths: Depths | None

    @property
    def nearest(self) -> float | None:
        """Depth of the nearest surface, scene units."""
        return None if self.depths is None else self.depths.near / NEAR_ROOM


def world_of(recording: Recording, options: CaptureOptions) -> World:
    """Return the recording, as the files have it, in its world; ``options`` say what is not to be found out."""
    forward_facing = options.forward_facing
    eyes = recording.poses[:, :, 3]
    middle = eyes.mean(0)
    # All is computed around the cameras, in float64.
    local = recording.moved(_translation(-middle))
    depths = recording.depths or _seen_depths(local)
    known = depths.near / NEAR_ROOM if depths is not None else options.near
    if forward_facing is None:
        forward_facing = (
            looks_forward(local.poses, known) if known is not None else _forward_without_depths(local.poses)
        )
    if forward_facing:
        return World(local.moved(forward_frame(local.poses)), True, depths)
    if not recording.keeps_world:
        upright = local.moved(upright_frame(local.poses, upside_down=options.upside_down))
        if not options.upside_down and float(upright.poses[:, 2, 2].mean()) < _LOOKING_UP:
            upright = upright.noted(
                "cameras look up at what they show: if the orbit is upside down, --set scene.upside_down=true"
            )
        return World(upright, False, depths)
    spread = float((eyes - middle).norm(dim=1).max())
    if float(middle.norm()) > _FAR_ORIGIN * max(spread, 1e-12):
        x, y, z = (f"{value:.3f}" for value in middle.tolist())
        return World(
            local.noted(f"coordinates are centred: the origin is moved to ({x}, {y}, {z})"), False, depths
        )
    return World(recording, False, depths)


def _forward_without_depths(poses: Tensor) -> bool:
    """Whether poses (n, 3, 4) look the same way, judged by where their axes meet or whether they diverge."""
    if look_inward(poses):
        return looks_forward(poses, depths_around(poses, inner_box(poses, None)).near / NEAR_ROOM)
    along = forward_frame(poses)[2, :3] @ poses[:, :, 2].T
    return bool((along > _ALIKE).all())


def _translation(by: Tensor) -> Tensor:
    frame = torch.eye(4, dtype=torch.float64)
    frame[:3, 3] = by
    return frame


def _seen_depths(recording: Recording) -> Depths | None:
    """Return the depth range of the points that each photo sees; None without enough of them."""
    depths = recording.sightings
    if depths is None and recording.points is not None:
        depths = _visible_depths(recording)
    if depths is None or len(depths) < _LEAST_DEPTHS:
        return None
    return depth_range(depths.sort().values)


def _visible_depths(recording: Recording) -> Tensor:
    """Return the depths (k,) > 0 of the points that are inside of the photos."""
    assert recording.points is not None
    points = recording.points[:: max(1, len(recording.points) // _MOST_POINTS)]
    found = []
    for photo in recording.photos:
        x, y, z = ((points - photo.pose[:, 3]) @ photo.pose[:, :3]).unbind(1)
        ahead = z < 0
        right, up = photo.lens.width / 2, photo.lens.height / 2
        fx, fy, *_ = photo.lens.focus
        u, v = fx * x / -z.clamp_max(-1e-9), fy * y / -z.clamp_max(-1e-9)
        found.append(-z[ahead & (u.abs() < right) & (v.abs() < up)])
    return torch.cat(found)
