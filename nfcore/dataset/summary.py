"""The summary of a data set as plain data: counts, sizes, bounds, and warnings about what looks wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, get_args

import torch
from torch import Tensor

from nfcore.dataset.framing import depths_of
from nfcore.geometry.boxes import box_depths
from nfcore.geometry.orbits import nearest_point_to_axes
from nfcore.geometry.uprightness import is_up_ambiguous, rolls, upright
from nfcore.interfaces import RaySource, Split, Views
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, Rays
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

#: Novel cameras that are sampled to find their region.
_NOVEL = 256
#: Rays along each side of a photo that are intersected with the box.
_GRID = 12
#: Fields of view in degrees, ratio of focal lengths, and share of a side that a principal point is off the middle,
#: beyond which a calibration has probably failed.
_NARROWEST, _WIDEST, _MOST_STRETCHED, _MOST_OFF_CENTRE = 2.0, 150.0, 1.5, 0.35
#: Roll in radians beyond which a photo is upside down: 135 degrees.
_UPSIDE_DOWN = 0.75 * math.pi


def summarise(source: RaySource, reader: str) -> dict[str, Any]:
    """Return the summary of ``source``, a ray source called ``reader``, as JSON values.

    Distances are in scene units, sizes in pixels, angles in degrees. ``warnings`` are sentences; an empty list if
    nothing looks wrong.
    """
    views = {split: source.views(split) for split in get_args(Split)}
    train, scene = views["train"], source.scene
    cameras = train.cameras
    novel = source.sample_cameras(_NOVEL, torch.Generator().manual_seed(0))
    return {
        "scene": source.name,
        "ray_source": reader,
        "kind": kind(scene),
        "views": {split: len(view) for split, view in views.items()},
        "height": cameras.height,
        "width": cameras.width,
        "scales": [s for s in range(1, 17) if cameras.height % s == 0 and cameras.width % s == 0],
        "alpha": train.alpha is not None,
        "intrinsics": {name: _range(cameras.intrinsics[:, i]) for i, name in enumerate(("fx", "fy", "cx", "cy"))},
        "field_of_view": {
            "horizontal": _range(_angle(cameras.width, cameras.intrinsics[:, 0])),
            "vertical": _range(_angle(cameras.height, cameras.intrinsics[:, 1])),
        },
        "near": scene.near,
        "far": scene.far,
        "box": [list(corner) for corner in scene.box],
        "background": list(scene.background),
        "cameras": _region(cameras, scene),
        "pseudo_cameras": _region(novel, scene),
        "warnings": source_warnings(source),
    }


def source_warnings(source: RaySource) -> list[str]:
    """Return what the reader of a data set noticed and what looks wrong in it, as sentences."""
    novel = source.sample_cameras(_NOVEL, torch.Generator().manual_seed(0))
    return [*source.notes, *warnings(source.scene, source.views("train"), novel)]


def kind(scene: Scene) -> str:
    """Return ``forward-facing``, ``unbounded`` or ``bounded``."""
    return "forward-facing" if scene.forward_facing else "unbounded" if scene.unbounded else "bounded"


def warnings(scene: Scene, train: Views, novel: Cameras) -> list[str]:
    """Return warnings about a scene, its training photos and its novel cameras."""
    cameras = train.cameras
    found = [
        _named(
            train,
            ~_any_ray_hits(cameras, scene),
            "look past the scene's box: wrong axes (poses are camera-to-world, x right, y up, looking down -z) or "
            "a wrong box",
        ),
        _named(train, torch.stack([photo.std() for photo in _small(train.images)]) < 0.01, "have only one colour"),
    ]
    if train.alpha is not None:
        found.append(
            _named(
                train,
                torch.stack([alpha.amax() for alpha in _small(train.alpha)]) < 0.5,
                "are fully transparent",
            )
        )
    if not scene.forward_facing:
        found.append(_named(train, _inside(cameras.poses[:, :, 3], scene), "were taken inside the scene's box"))
        upside_down = rolls(cameras.poses, upright(cameras.poses)).abs() > _UPSIDE_DOWN
        found.append(_named(train, upside_down, "are held upside down, unlike others"))
        if is_up_ambiguous(cameras.poses):
            found.append(
                "all photos are on their side and level with what they show, so up may be down: if the orbit "
                "is upside down, --set scene.upside_down=true"
            )
        depth = depths_of(cameras.poses, torch.tensor(scene.box).mean(0)[None], None)
        outside = ~_inside(cameras.poses[:, :, 3], scene) & ((depth < scene.near) | (depth > scene.far))
        found.append(_named(train, outside, "have the box outside of near to far"))
    within = int(_inside(novel.poses[:, :, 3], scene).sum())
    if within and not scene.forward_facing:
        found.append(f"{within} of {len(novel)} novel cameras are inside the scene's box")
    focal = cameras.intrinsics[:, 0]
    if float(focal.max()) > 2 * float(focal.min()):
        found.append(f"focal lengths differ more than twofold, {focal.min():.5g} to {focal.max():.5g} pixels")
    found += _calibration(cameras)
    if len(train) < 10:
        found.append(f"only {len(train)} photos to train on: expect floaters between the views")
    return [text for text in found if text]


def _calibration(cameras: Cameras) -> list[str]:
    """Return warnings about focal lengths and principal points that no real lens has."""
    found = []
    low, high = _range(_angle(cameras.width, cameras.intrinsics[:, 0]))
    if high > _WIDEST or low < _NARROWEST:
        found.append(
            f"the field of view is {low:.3g} to {high:.3g} degrees: a failed calibration, or a focal length in "
            "another unit than pixels"
        )
    ratio = cameras.intrinsics[:, 0] / cameras.intrinsics[:, 1]
    stretch = float(torch.maximum(ratio, 1 / ratio).max())
    if stretch > _MOST_STRETCHED:
        found.append(f"focal lengths fx and fy differ by a factor of up to {stretch:.2g}: a failed calibration")
    off = float((cameras.intrinsics[:, 2:] / torch.tensor([cameras.width, cameras.height]) - 0.5).abs().max())
    if off > _MOST_OFF_CENTRE:
        found.append(
            f"the principal point is up to {off:.0%} of a side from the middle: a failed calibration, or cropped "
            "photos"
        )
    return found


def _small(photos: Tensor | PhotoStack | AlphaStack) -> Iterable[Tensor]:
    """Return photos or their alpha, small if they are large: none is decoded in full to look at all of them."""
    return photos if isinstance(photos, Tensor) else photos.previews()


def _named(views: Views, wrong: Tensor, what: str) -> str | None:
    """Return a sentence about the photos that are ``wrong`` (n,), or None."""
    names = [name for name, bad in zip(views.names, wrong.tolist(), strict=True) if bad]
    if not names:
        return None
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} of {len(views)} training photos ({listed}) {what}"


def _any_ray_hits(cameras: Cameras, scene: Scene) -> Tensor:
    """Return whether any of a grid of each camera's rays hits the box, (n,) bool."""
    step = max(1, min(cameras.height, cameras.width) // _GRID)
    hits = []
    for camera in cameras:
        coarse = camera.resized(-(-cameras.height // step), -(-cameras.width // step))
        hits.append(_hits_box(coarse.rays().flat(), scene).any())
    return torch.stack(hits)


def _hits_box(rays: Rays, scene: Scene) -> Tensor:
    """Return whether rays (n, 3) hit the scene's box in front of their origins, (n,) bool."""
    low, high = torch.tensor(scene.box)
    entry, leave = box_depths(rays.origins, rays.directions, low, high, -1)
    return (leave > entry)[:, 0]


def _inside(points: Tensor, scene: Scene) -> Tensor:
    low, high = torch.tensor(scene.box)
    inside: Tensor = ((points > low) & (points < high)).all(-1)
    return inside


def _region(cameras: Cameras, scene: Scene) -> dict[str, Any]:
    """Return the region of cameras: lower and upper corner; for cameras around a point, also that."""
    eyes = cameras.poses[:, :, 3]
    corners = {"from": eyes.amin(0).tolist(), "to": eyes.amax(0).tolist()}
    if scene.forward_facing:
        return corners
    target = nearest_point_to_axes(cameras.poses)
    return corners | {"look_at": target.tolist(), "distance": _range((eyes - target).norm(dim=-1))}


def _range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]


def _angle(side: int, focal: Tensor) -> Tensor:
    return 2 * (0.5 * side / focal).atan() * (180 / math.pi)
