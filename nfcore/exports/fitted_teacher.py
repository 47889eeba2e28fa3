"""A fitted teacher as exporters take it, together with cameras."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nfcore.interfaces import Teacher
from nfcore.plugin.components import Kind
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.views.teacher_views import render_view


class FittedTeacher:
    """The input of an exporter that takes a teacher, and the reference for its files.

    Args:
        teacher: the fitted teacher, in eval mode.
        cameras: reference cameras, with the size of the exported images; exports are compared at them.

    """

    scale = 1  # a teacher renders one ray per pixel

    def __init__(self, teacher: Teacher, cameras: Cameras) -> None:
        self.teacher = teacher
        self.cameras = cameras

    @property
    def scene(self) -> Scene:
        """The bounds of the scene."""
        return self.teacher.scene

    @property
    def parts(self) -> Mapping[Kind, nn.Module]:
        """The teacher, by kind."""
        return {"teacher": self.teacher}

    @torch.no_grad()
    def render(self, cameras: Cameras) -> Tensor:
        """Return images (n, 3, height, width) float32 in [0, 1] on the CPU."""
        images = [render_view(self.teacher, cameras[i]).rgb for i in range(len(cameras))]
        return torch.stack(images).permute(0, 3, 1, 2).float().cpu().contiguous()
