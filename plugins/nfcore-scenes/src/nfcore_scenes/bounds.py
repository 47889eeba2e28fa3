"""A capture's scene: forward-facing, unbounded, or a thing that the photos' alpha cuts out."""

from __future__ import annotations

from nfcore import Scene
from nfcore.options import parse
from nfcore.visual_hull import hull_box
from nfcore_scenes.captures import Capture
from nfcore_scenes.framing import Box, Depths, depths_around, forward_box, outer_box


def forward_scene(
    capture: Capture, depths: Depths, nearest: float, background: tuple[float, float, float], where: str
) -> Scene:
    """Return the bounds of a recentred forward-facing capture.

    Args:
        capture: the photos.
        depths: of the near and the far plane, scene units.
        nearest: depth of the nearest surface, scene units.
        background: RGB in [0, 1].
        where: the data set, for an error.

    """
    box = forward_box(capture.cameras("train"), depths, nearest)
    return _scene(depths, box, background, where, forward_facing=True)


def scene_around(
    capture: Capture, depths: Depths, box: Box, background: tuple[float, float, float], where: str
) -> Scene:
    """Return the bounds of a capture around something.

    Photos with alpha show a thing and nothing beyond: its box is that of their visual hull. What others show is
    unbounded, and ``box`` and ``depths`` are what is known of it.
    """
    if not capture.has_alpha("train"):
        return _scene(depths, box, background, where, unbounded=True)
    train = capture.views("train")
    assert train.alpha is not None
    hull = hull_box(train.cameras, train.alpha, around=outer_box(train.cameras.poses))
    return _scene(depths_around(train.cameras.poses, hull), hull, background, where)


def _scene(depths: Depths, box: Box, background: tuple[float, float, float], where: str, **kind: bool) -> Scene:
    values = {"near": depths.near, "far": depths.far, "box": box, "background": background}
    return parse(Scene, values | kind, where)
