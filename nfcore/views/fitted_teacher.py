"""A fitted teacher with reference cameras: a model of its scene like a student."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from nfcore.errors import PluginError, UserError
from nfcore.interfaces import BakedField, Teacher
from nfcore.interfaces.baked_checks import check_baked
from nfcore.interfaces.boundaries import calling
from nfcore.interfaces.scene_model import Takes
from nfcore.plugin.components import Kind
from nfcore.plugin.identity import named
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.views.teacher_file import read_teacher, save_teacher
from nfcore.views.teacher_views import render_view


class FittedTeacher:
    """What is evaluated, rendered and exported where a run has no student, and the reference for its exports.

    Args:
        teacher: the fitted teacher, in eval mode.
        cameras: reference cameras, with the size of the exported images; exports are compared at them.

    >>> run = nfcore.runs.open("runs/field")  # doctest: +SKIP
    >>> images = run.fitted_teacher.render(run.fitted_teacher.cameras[:2])  # doctest: +SKIP

    """

    scale = 1  # a teacher renders one ray per pixel

    def __init__(self, teacher: Teacher, cameras: Cameras) -> None:
        self.teacher = teacher
        self.cameras = cameras

    @property
    def kind(self) -> Takes:
        """It is a teacher."""
        return "teacher"

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
        images = [render_view(self.teacher, camera).rgb for camera in cameras]
        return torch.stack(images).permute(0, 3, 1, 2).float().cpu().contiguous()

    def save(self, path: str | Path, components: PluginManager | None = None) -> None:
        """Write the teacher with its reference cameras to one safetensors file, atomically.

        Raises:
            PluginError: no installed plugin offers its class.

        """
        save_teacher(self.teacher, Path(path), components, self.cameras)

    @classmethod
    def load(cls, path: str | Path, components: PluginManager | None = None) -> FittedTeacher:
        """Return the teacher in ``path``, in eval mode, with its cameras. Needs its plugin, but no data set.

        Raises:
            UserError: no such file, damaged, not a teacher, or without cameras.
            PluginError: its component is not installed.

        """
        teacher, cameras = read_teacher(Path(path), components)
        if cameras is None:
            raise UserError(
                f"{path}: has no reference cameras: it was written by nfcore 0.1; name its run's folder instead"
            )
        return cls(teacher, cameras)

    def baked(self) -> BakedField:
        """Return the teacher as plain data that another program draws, checked: see ``Teacher.baked``.

        Raises:
            UserError: it can't be baked; names the teachers that can.
            ContractError: what it returned is incomplete.

        """
        with calling(self.teacher, "baked"):
            baked = self.teacher.baked()
        if baked is None:
            can = ", ".join(_bakeable()) or "none here"
            raise UserError(
                f"{named(self.teacher)} can't be baked; teachers that can: {can}. One of them can be fitted to "
                "what this one shows: --scene with the run's folder"
            )
        return check_baked(self.teacher, baked)


def _bakeable() -> Iterator[str]:
    """Yield the names of the installed teachers that can be baked."""
    for plugin, component in plugins().components("teacher"):
        with suppress(PluginError):
            if plugins().load("teacher", f"{plugin.distribution}/{component.name}").baked is not Teacher.baked:
                yield component.name
