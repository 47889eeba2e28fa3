"""What the exporters share: the polygons of a fitted teacher, and a runner of what was written."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore import Cameras, FittedTeacher, Runner, UserError
from nfcore.scene import Vector
from nfcore_mobilenerf.drawing import draw
from nfcore_mobilenerf.polygons import Layers, Polygons
from nfcore_mobilenerf.rasterizer import Triangles
from nfcore_mobilenerf.teacher import MobileNeRF


def polygons_of(model: FittedTeacher) -> Polygons:
    """Return the polygons of ``model``.

    Raises:
        UserError: its teacher is another, or has none.

    """
    teacher = model.teacher
    if not isinstance(teacher, MobileNeRF):
        raise UserError(
            f"{type(teacher).__name__} has no polygons: this exporter takes the teacher mobilenerf, which starts "
            "from another one: nfcore run mobilenerf, with --set teacher.field=NAME"
        )
    polygons = teacher.polygons()
    if not len(polygons.quads):
        raise UserError("the teacher mobilenerf has no polygons: fit it first (nfcore teach)")
    return polygons


def runner(
    verified_by: str,
    triangles: Triangles,
    texture: tuple[Tensor, Tensor, Layers],
    background: Vector,
    size: tuple[int, int],
) -> Runner:
    """Return what draws images of ``size``, height and width, from a texture: features, opaque, and the layers."""

    def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
        cameras = Cameras(poses.cpu(), intrinsics.cpu(), *size)
        views = [draw(triangles, *texture, camera, background).rgb for camera in cameras]
        return torch.stack(views).permute(0, 3, 1, 2).contiguous()

    return Runner(verified_by, render, timed=False)
