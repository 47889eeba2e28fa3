"""What there is to render: a run's student, teacher and photos, or a student's file alone."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from nfcore.errors import UserError
from nfcore.interfaces import RaySource, Teacher
from nfcore.pipeline.teach import load_teacher
from nfcore.plugin.manager import PluginManager
from nfcore.runs.folder import Run
from nfcore.runs.scene import open_scene
from nfcore.runtime.devices import choose_device
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField


class Learned:
    """What was learned in a run, or the student in one file.

    Args:
        given: a run's folder, or a student's file.
        manager: where components are found.

    Raises:
        UserError: from the constructor, for what is neither; from the rest, for what is not there.

    """

    def __init__(self, given: Path, manager: PluginManager) -> None:
        self.given = given
        self.manager = manager
        self.run: Run | None = None if given.is_file() else Run(given)
        self.device = choose_device(self.run.config.device if self.run else "auto")

    @cached_property
    def student(self) -> LightField:
        """The finished student, on the device that computes."""
        if self.run is not None and not self.run.student.exists():
            raise UserError(
                f"{self.given}: finetune is not finished; 'nfcore finetune {self.given}' does it, and "
                f"--from teacher shows the teacher"
            )
        return LightField.load(self.run.student if self.run else self.given, self.manager).to(self.device)

    @cached_property
    def teacher(self) -> Teacher:
        """The fitted teacher, on the device that computes."""
        if self.run is None:
            raise UserError(
                f"{self.given}: a student's file knows no teacher: give its run's folder, which holds "
                f"teacher.safetensors"
            )
        if not self.run.teacher.exists():
            raise UserError(f"{self.given}: teach is not finished; 'nfcore teach {self.given}' does it")
        return load_teacher(self.run.teacher, self.manager).to(self.device)

    @cached_property
    def source(self) -> RaySource:
        """The run's photos."""
        if self.run is None:
            raise UserError(
                f"{self.given}: a student's file has no test poses: --path reference has those saved with it"
            )
        return open_scene(self.run.config, self.manager)

    def known(self, path: str) -> tuple[Cameras, Scene]:
        """Return cameras that ``path`` is made from, and the scene; photos are read only where they must be."""
        has_student = self.run is None or self.run.student.exists()
        if path == "test" or not has_student:
            return self.source.views("test").cameras, self.source.scene
        return self.student.cameras.to("cpu"), self.student.scene

    @property
    def folder(self) -> Path:
        """Where what is rendered goes if nobody says otherwise."""
        return self.given / "renders" if self.run else self.given.parent / f"{self.given.stem}-renders"
