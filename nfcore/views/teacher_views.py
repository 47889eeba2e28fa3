"""Views rendered by a teacher: the one place where the core calls ``Teacher.render_views``."""

from __future__ import annotations

import torch

from nfcore.interfaces import Rendering, Teacher
from nfcore.interfaces.boundaries import calling, check_rendering
from nfcore.runtime.devices import device_of
from nfcore.scene.cameras import Cameras

# Pixels along a side of the view that checks a teacher.
_SIDE = 8


@torch.no_grad()
def render_view(teacher: Teacher, camera: Cameras) -> Rendering:
    """Return one camera's view rendered by ``teacher``, on the teacher's device.

    RGB (h, w, 3) in [0, 1], opacity and depth (h, w), depth in scene units along the optical axis.

    >>> depth = render_view(teacher, source.views("test").cameras[0]).depth  # doctest: +SKIP

    Raises:
        ContractError: the teacher breaks a rule: a shape, values that are not finite or not in [0, 1].
        PluginError: it raised an error.

    """
    with calling(teacher, "render_views"):
        rendering = teacher.render_views(camera.to(device_of(teacher)))
    check_rendering(teacher, rendering, (1, camera.height, camera.width))
    return Rendering(rendering.rgb[0].clamp(0, 1), rendering.opacity[0], rendering.depth[0])


@torch.no_grad()
def check_teacher(teacher: Teacher, cameras: Cameras) -> None:
    """Render a few rays and a small view of the first of ``cameras``, and check the results.

    Raises:
        ContractError: the teacher breaks a rule.
        PluginError: it raised an error.

    """
    camera = cameras[0].resized(min(cameras.height, _SIDE), min(cameras.width, _SIDE))
    if type(teacher).render is not Teacher.render:
        rays = camera.to(device_of(teacher)).rays().flat()
        with calling(teacher, "render"):
            rendering = teacher.render(rays)
        check_rendering(teacher, rendering, (len(rays),))
    render_view(teacher, camera)
