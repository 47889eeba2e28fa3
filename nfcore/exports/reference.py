"""A student that is to be exported: where it comes from, and the images that its exports are held against."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor

from nfcore.errors import PluginError
from nfcore.exports.manifest import StudentRecord, sha256
from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.orbits import tour
from nfcore.interfaces import Views
from nfcore.plugin.components import Kind
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.scene.cameras import Cameras
from nfcore.student.complexity import macs, parameters
from nfcore.student.light_field import LightField

#: Poses at which an export is compared with torch.
POSES = 8


class Subject:
    """A student with its origin and its test poses. What torch renders there is rendered once for all exports.

    The test poses are those of the photos where there are any, else the student's reference cameras, spread
    evenly; where these are fewer than eight, poses between them are added.

    Args:
        student: the student to export.
        file: where it was loaded from.
        scene: the name of the scene that it shows.
        photos: test photos of its image size, or why there are none.
        components: where the names of its parts are found.

    """

    def __init__(
        self,
        student: LightField,
        *,
        file: Path | None = None,
        scene: str | None = None,
        photos: Views | str = "a student's file brings no photos",
        components: PluginManager | None = None,
    ) -> None:
        self.student = student
        self.file = file
        self.scene = scene
        self.components = components or plugins()
        self.photos = None if isinstance(photos, str) else photos.chosen(_spread(len(photos), POSES))
        self.no_photos = photos if isinstance(photos, str) else None
        seen = evenly_spaced(student.cameras, POSES) if self.photos is None else self.photos.cameras
        self.cameras = _with_more(seen, student)

    @functools.cached_property
    def images(self) -> list[Tensor]:
        """What torch renders at the test poses: (1, 3, h, w) float32 each, on the CPU."""
        return [self.student.render(self.cameras[i]) for i in range(len(self.cameras))]

    @functools.cached_property
    def record(self) -> StudentRecord:
        """What manifests say of the student."""
        student = self.student
        return StudentRecord(
            file=None if self.file is None else self.file.name,
            sha256=None if self.file is None else sha256(self.file),
            scene=self.scene,
            encoding=component_name(self.components, "encoding", student.encoding),
            backbone=component_name(self.components, "backbone", student.backbone),
            upsampler=component_name(self.components, "upsampler", student.upsampler),
            parameters=parameters(student),
            macs=macs(student),
        )


def component_name(components: PluginManager, kind: Kind, component: object) -> str:
    """Return ``distribution/name`` of a component, or its class's place where no plugin offers it."""
    try:
        return components.name_of(kind, component)
    except PluginError:
        return f"{type(component).__module__}:{type(component).__qualname__}"


def evenly_spaced(cameras: Cameras, count: int) -> Cameras:
    """Return at most ``count`` of the cameras, spread evenly over their order."""
    return cameras[_spread(len(cameras), count)]


def _spread(there: int, count: int) -> list[int]:
    """Return at most ``count`` indices of ``there`` things, spread evenly."""
    return [i * there // count for i in range(count)] if there > count else list(range(there))


def _with_more(cameras: Cameras, student: LightField) -> Cameras:
    """Return ``cameras``, and as many poses between the student's reference cameras as it takes to make eight."""
    missing = POSES - len(cameras)
    if missing <= 0:
        return cameras
    # Every other pose of an odd loop: one that goes there and back passes no place twice.
    length = 2 * missing + 1
    if student.scene.forward_facing:
        poses = ForwardRegion.around(student.cameras).loop(length)[1::2]
    else:
        poses = tour(student.cameras, length)[1::2]
    intrinsics = student.cameras.intrinsics[:1].expand(missing, -1)
    return Cameras(
        torch.cat([cameras.poses, poses]),
        torch.cat([cameras.intrinsics, intrinsics]),
        cameras.height,
        cameras.width,
    )
