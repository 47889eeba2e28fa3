"""Views as a teacher sees them: the one place where the core asks a teacher for pictures."""

from __future__ import annotations

import torch

from nfcore.interfaces import Rendering, Teacher
from nfcore.runtime.devices import device_of
from nfcore.scene.cameras import Cameras


@torch.no_grad()
def render_view(teacher: Teacher, camera: Cameras) -> Rendering:
    """Return what ``teacher`` sees through one camera, on the teacher's device.

    RGB (h, w, 3) in [0, 1], opacity and depth (h, w), depth in scene units along the optical axis.
    """
    seen = teacher.render_views(camera.to(device_of(teacher)))
    return Rendering(seen.rgb[0].clamp(0, 1), seen.opacity[0], seen.depth[0])
