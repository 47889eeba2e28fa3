"""The region of the viewer's camera: the one that a model's reference cameras fill, as data for the page."""

from __future__ import annotations

from typing import Any

import torch

from nfcore.geometry.forward_region import focus_depth
from nfcore.geometry.orbits import OrbitRegion
from nfcore.interfaces import SceneModel
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

#: Maximum sine of the elevation: beyond it a camera looks along "up", where turning it is undefined.
_STEEPEST = 0.999


def camera_region(model: SceneModel) -> dict[str, Any]:
    """Return the region of the camera, in the format of ``front/camera.js``.

    Cameras that look inwards fill a shell around a target (`OrbitRegion`): ``{"kind": "orbit", "target", "up",
    "east", "north", "radius", "height", "start"}``. All others fill a box in the frame of the most central one:
    ``{"kind": "box", "axes", "centre", "low", "high", "focus", "start"}``. Lengths are scene units, ``height`` is
    the sine of the elevation. ``start`` is a position in the region's own coordinates: the reference camera of
    median height, or the middle of the box.
    """
    cameras = model.cameras.to("cpu")
    if not model.scene.forward_facing and _look_inwards(cameras):
        return _shell(cameras)
    return _box(cameras, model.scene)


def _look_inwards(cameras: Cameras) -> bool:
    """Whether the point nearest to all optical axes is in front of every camera, at some distance."""
    if len(cameras) < 2:
        return False
    target = OrbitRegion.around(cameras).target
    depth = ((target - cameras.poses[:, :, 3]) * -cameras.poses[:, :, 2]).sum(1)
    return bool(depth.isfinite().all() and (depth > 1e-3 * depth.abs().max()).all() and depth.min() > 0)


def _shell(cameras: Cameras) -> dict[str, Any]:
    shell = OrbitRegion.around(cameras)
    # The region's convention for azimuth, derived from its poses, so that it is defined in one place.
    zero = torch.zeros(1)
    east, north = (
        (shell.poses(torch.tensor([azimuth]), zero, zero + 1)[0, :, 3] - shell.target)
        for azimuth in (0.0, torch.pi / 2)
    )
    offsets = cameras.poses[:, :, 3] - shell.target
    heights = (offsets @ shell.up) / offsets.norm(dim=1)
    offset = offsets[int((heights - heights.median()).abs().argmin())]
    radius = float(offset.norm())
    height = [max(-_STEEPEST, shell.height[0]), min(_STEEPEST, shell.height[1])]
    return {
        "kind": "orbit",
        "target": shell.target.tolist(),
        "up": shell.up.tolist(),
        "east": east.tolist(),
        "north": north.tolist(),
        "radius": list(shell.radius),
        "height": height,
        "start": {
            "azimuth": float(torch.atan2(offset @ north, offset @ east)),
            "height": min(max(float(offset @ shell.up) / radius, height[0]), height[1]),
            "radius": radius,
        },
    }


def _box(cameras: Cameras, scene: Scene) -> dict[str, Any]:
    positions = cameras.poses[:, :, 3]
    centre = positions.mean(0)
    axes = cameras.poses[int((positions - centre).norm(dim=1).argmin()), :, :3]
    local = (positions - centre) @ axes
    # A single camera, or cameras in a row, still get some room to move: a hundredth of the nearest depth.
    room = torch.full((3,), 0.01 * scene.near)
    low, high = torch.minimum(local.amin(0), -room), torch.maximum(local.amax(0), room)
    return {
        "kind": "box",
        "axes": axes.T.tolist(),
        "centre": centre.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "focus": focus_depth(scene),
        "start": [0.0, 0.0, 0.0],
    }
