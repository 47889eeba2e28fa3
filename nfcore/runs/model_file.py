"""A model's file in place of a run: a student or a fitted teacher, without its data set."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from nfcore.errors import UserError
from nfcore.interfaces import RaySource
from nfcore.interfaces.scene_model import Takes
from nfcore.io.tensors import safetensors_metadata
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.runtime.devices import choose_device
from nfcore.student.light_field import LightField
from nfcore.views.fitted_teacher import FittedTeacher
from nfcore.views.teacher_file import CARD


class ModelFile:
    """A student's or a teacher's file. What it lacks of a run's artifacts raises a UserError.

    Args:
        path: the file.
        components: where components are found; the installed plugins by default.
        device: the device of the model.

    """

    def __init__(self, path: Path, components: PluginManager | None = None, device: str = "auto") -> None:
        self.path = path
        self.components = components or plugins()
        self.device = choose_device(device)

    @cached_property
    def renderer(self) -> Takes:
        """What it is."""
        return "teacher" if CARD in safetensors_metadata(self.path) else "student"

    @property
    def shown(self) -> LightField | FittedTeacher:
        """The model."""
        return self.student if self.renderer == "student" else self.fitted_teacher

    @cached_property
    def student(self) -> LightField:
        """The student."""
        if self.renderer == "teacher":
            raise UserError(f"{self.path}: a teacher's file has no student: leave out --from student")
        return LightField.load(self.path, self.components).to(self.device)

    @cached_property
    def fitted_teacher(self) -> FittedTeacher:
        """The teacher with its cameras."""
        if self.renderer == "student":
            raise UserError(f"{self.path}: a student's file has no teacher: name its run's folder instead")
        fitted = FittedTeacher.load(self.path, self.components)
        fitted.teacher.to(self.device)
        return fitted

    @property
    def renders_folder(self) -> Path:
        """The default folder of pictures and videos."""
        return self.path.parent / f"{self.path.stem}-renders"

    @property
    def source(self) -> RaySource:
        """Raises a UserError."""
        raise UserError(
            f"{self.path}: a model's file has no test poses: name its run's folder, or use its reference poses"
        )
