"""Views as a teacher sees them: the one place where the core asks a teacher for pictures."""

from __future__ import annotations

import torch

from nfcore.interfaces import Rendering, Teacher
from nfcore.interfaces.boundaries import calling, check_rendering
from nfcore.runtime.devices import device_of
from nfcore.scene.cameras import Cameras

# Pixels along a side of the view that a teacher is tried at.
_SIDE = 8


@torch.no_grad()
def render_view(teacher: Teacher, camera: Cameras) -> Rendering:
    """Return what ``teacher`` sees through one camera, on the teacher's device.

    RGB (h, w, 3) in [0, 1], opacity and depth (h, w), depth in scene units along the optical axis.

    Raises:
        ContractError: the teacher breaks a rule: a shape, values that are not finite or not in [0, 1].
        PluginError: it raised an error of its own.

    """
    with calling(teacher, "render_views"):
        seen = teacher.render_views(camera.to(device_of(teacher)))
    check_rendering(teacher, seen, (1, camera.height, camera.width))
    return Rendering(seen.rgb[0].clamp(0, 1), seen.opacity[0], seen.depth[0])


@torch.no_grad()
def check_teacher(teacher: Teacher, cameras: Cameras) -> None:
    """Look through the first of ``cameras``, at a few rays and at a small view, and check what comes.

    Raises:
        ContractError: the teacher breaks a rule.
        PluginError: it raised an error of its own.

    """
    camera = cameras[0].resized(min(cameras.height, _SIDE), min(cameras.width, _SIDE))
    if type(teacher).render is not Teacher.render:
        rays = camera.to(device_of(teacher)).rays().flat()
        with calling(teacher, "render"):
            seen = teacher.render(rays)
        check_rendering(teacher, seen, (len(rays),))
    render_view(teacher, camera)
