"""A capture's scene: forward-facing, unbounded, or an object cut out by alpha or a plain background."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nfcore import Cameras, Scene
from nfcore.config import parse
from nfcore.dataset import NEAR_ROOM, Box, Depths, depths_around, forward_box, inner_box, outer_box
from nfcore.geometry import hull_box, nearest_point_to_axes
from nfcore_scenes.capture import Capture
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.plain_background import object_on_plain_background
from nfcore_scenes.recording import Recording
from nfcore_scenes.world import World

#: Far bound of unbounded scenes, as a multiple of the box's distance, without points and files that say it.
_UNKNOWN_FAR = 10.0
#: Cells along each side of the hull that finds where the object is, before the one that finds its box.
_COARSE_CELLS = 32
#: NeRF's bounds for its synthetic scenes (Mildenhall et al. 2020), whose cameras are 4.03 units away.
CONVENTION = Depths(2.0, 6.0)
CONVENTIONAL_BOX: Box = ((-1.5, -1.5, -1.5), (1.5, 1.5, 1.5))
#: Least and greatest distance from the origin of cameras that NeRF's bounds suit.
_CONVENTIONAL = (3.5, 4.6)


def scene_of(capture: Capture, world: World, options: CaptureOptions) -> Scene:
    """Return the bounds of a capture, of its kind; those that the user sets replace what is found.

    Raises:
        UserError: bounds make no sense.

    """
    if world.forward_facing:
        return _forward(capture, world, options)
    cut_out = capture.silhouettes("train")
    if cut_out is not None:
        return _object(capture, world.recording, options.box or _hull(*cut_out, world.recording), options)
    if world.recording.rendered:
        found = object_on_plain_background(capture)
        if found is not None:
            silhouettes, colour = found
            return _on_plain_background(capture, world.recording, silhouettes, colour, options)
    return _unbounded(capture, world, options)


def _forward(capture: Capture, world: World, options: CaptureOptions) -> Scene:
    """Return the bounds of a recentred forward-facing capture."""
    cameras = capture.cameras("train")
    depths = world.depths or _unknown_depths(cameras)
    given = Depths(options.near or depths.near, options.far or depths.far)
    nearest = world.nearest or depths.near
    box = options.box or forward_box(cameras, given, max(nearest, given.near))
    return _scene(given, box, options, world.recording, forward_facing=True)


def _unknown_depths(cameras: Cameras) -> Depths:
    """Return depths for a forward-facing capture of which only poses are known."""
    spread = float((cameras.poses[:, :, 3] - cameras.poses[:, :, 3].mean(0)).norm(dim=1).max().clamp_min(1e-3))
    return Depths(NEAR_ROOM * 2 * spread, _UNKNOWN_FAR * 4 * spread)


def _hull(cameras: Cameras, alpha: list[Tensor], recording: Recording) -> Box:
    """Return the box of the silhouettes' visual hull."""
    around = outer_box(cameras, alpha)
    around = around if recording.outer is None else _intersection(around, recording.outer)
    # Once more within the box: its cells are smaller.
    return hull_box(cameras, alpha, around=_grown(hull_box(cameras, alpha, around=around, cells=_COARSE_CELLS)))


def _on_plain_background(
    capture: Capture,
    recording: Recording,
    silhouettes: list[Tensor],
    colour: tuple[float, float, float],
    options: CaptureOptions,
) -> Scene:
    """Return the bounds of an object without alpha: ``silhouettes`` are those of rectangles around it."""
    cameras = capture.cameras("train")
    box = options.box or recording.box
    if box is None:
        box = CONVENTIONAL_BOX if _conventional(recording, cameras) else _hull(cameras, silhouettes, recording)
    if options.background is None:
        options = options.model_copy(update={"background": colour})
    return _object(capture, recording, box, options)


def _object(capture: Capture, recording: Recording, box: Box, options: CaptureOptions) -> Scene:
    """Return the bounds of an object in ``box``."""
    cameras = capture.cameras("train")
    if recording.depths is not None:
        depths = recording.depths
    elif recording.rendered and _conventional(recording, cameras):
        depths = CONVENTION
    else:
        depths = depths_around(cameras.poses, box)
    return _scene(depths, box, options, recording)


def _unbounded(capture: Capture, world: World, options: CaptureOptions) -> Scene:
    cameras, recording = capture.cameras("train"), world.recording
    points = None if recording.points is None else recording.points.float()
    box = recording.box if world.depths is None or points is None else None
    box = box or inner_box(cameras.poses, points)
    depths = world.depths
    if depths is None:
        seen = depths_around(cameras.poses, box)
        if recording.outer is not None:
            depths = Depths(seen.near, max(seen.far, depths_around(cameras.poses, recording.outer).far))
        else:
            depths = Depths(seen.near, _UNKNOWN_FAR * seen.far)
    return _scene(depths, options.box or box, options, recording, unbounded=True)


def _conventional(recording: Recording, cameras: Cameras) -> bool:
    """Whether the cameras are as far from the origin as those of NeRF's synthetic scenes, and look at it."""
    low, high = _CONVENTIONAL
    distance = cameras.poses[:, :, 3].norm(dim=1)
    aside = float(nearest_point_to_axes(cameras.poses).norm())
    return recording.box is None and bool(((distance > low) & (distance < high)).all()) and aside < 1.0


def _scene(depths: Depths, box: Box, options: CaptureOptions, recording: Recording, **kind: bool) -> Scene:
    values = {
        "near": options.near or depths.near,
        "far": options.far or depths.far,
        "box": box,
        "background": options.background or (1.0, 1.0, 1.0),
    }
    return parse(Scene, values | kind, str(recording.where))


def _grown(box: Box) -> Box:
    """Return a box that is larger by a twentieth: the hull of finer cells may be cut differently."""
    low, high = np.array(box)
    margin = 0.025 * (high - low)
    return _corner(low - margin), _corner(high + margin)


def _intersection(one: Box, other: Box) -> Box:
    """Return what two boxes share, or the first if that is nothing."""
    low, high = np.maximum(one[0], other[0]), np.minimum(one[1], other[1])
    return (_corner(low), _corner(high)) if (low < high).all() else one


def _corner(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
