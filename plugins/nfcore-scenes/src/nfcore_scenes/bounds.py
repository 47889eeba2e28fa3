"""A capture's scene: forward-facing, unbounded, or an object cut out by the photos' alpha."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from nfcore import Scene
from nfcore.config import parse
from nfcore.dataset import Box, Depths, depths_around, forward_box, outer_box
from nfcore.geometry import hull_box
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.captures import Capture

#: Photos with a smaller transparent share than this are not cut out.
_LEAST_TRANSPARENT = 0.01


def forward_scene(capture: Capture, depths: Depths, nearest: float, options: CaptureOptions, where: str) -> Scene:
    """Return the bounds of a recentred forward-facing capture.

    Args:
        capture: the photos.
        depths: depths of the near and the far plane, scene units.
        nearest: depth of the nearest surface, scene units.
        options: bounds set by the user.
        where: the data set, for errors.

    """
    given = Depths(options.near or depths.near, options.far or depths.far)
    box = options.box or forward_box(capture.cameras("train"), given, max(nearest, given.near))
    return _scene(given, box, options, where, forward_facing=True)


def scene_around(
    capture: Capture,
    depths: Depths,
    box: Box,
    options: CaptureOptions,
    where: str,
    outer: Box | None = None,
) -> Scene:
    """Return the bounds of a capture around something.

    Photos with alpha show only an object: its box is that of their visual hull. Otherwise the scene is unbounded,
    with the given ``box`` and ``depths``.

    Args:
        capture: the photos.
        depths: depths of the nearest and the farthest surface, scene units.
        box: a box around what the cameras look at.
        options: bounds set by the user.
        where: the data set, for errors.
        outer: a box that contains the object of cut-out photos; by default the largest cube within the cameras.

    """
    silhouettes = _silhouettes(capture)
    if silhouettes is None:
        return _scene(depths, options.box or box, options, where, unbounded=True)
    cameras = capture.cameras("train")
    hull = options.box or hull_box(cameras, silhouettes, around=outer or outer_box(cameras.poses))
    return _scene(depths_around(cameras.poses, hull), hull, options, where)


def _silhouettes(capture: Capture) -> Iterable[Tensor] | None:
    """Return the training photos' alpha, (h, w) each; None if it is 1 everywhere, as in many files."""
    if not capture.has_alpha("train"):
        return None
    views = capture.views("train")
    if views.alpha is None:
        return None
    transparent = sum(float((alpha < 0.5).float().mean()) for alpha in views.alpha) / len(views)
    return None if transparent < _LEAST_TRANSPARENT else views.silhouettes


def _scene(depths: Depths, box: Box, options: CaptureOptions, where: str, **kind: bool) -> Scene:
    values = {
        "near": options.near or depths.near,
        "far": options.far or depths.far,
        "box": box,
        "background": options.background,
    }
    return parse(Scene, values | kind, where)
