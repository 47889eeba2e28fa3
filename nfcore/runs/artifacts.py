"""The artifacts of a run: its scene, teacher, students and exports, each loaded on first use."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from nfcore.config.schema import PipelineConfig
from nfcore.config.stages import Stage, stages_of
from nfcore.errors import NfcoreError, UserError
from nfcore.exports.manifest import Manifest
from nfcore.exports.reference import Reference
from nfcore.interfaces import RaySource, SceneModel, Teacher, Views
from nfcore.interfaces.exporter import Takes
from nfcore.plugin.installed import plugins
from nfcore.plugin.isolation import reason
from nfcore.plugin.manager import PluginManager
from nfcore.runs.folder import Run
from nfcore.runs.scene import open_scene
from nfcore.runs.untrained import new_student, reference_cameras
from nfcore.runtime.devices import choose_device
from nfcore.student.light_field import LightField
from nfcore.views.fitted_teacher import FittedTeacher
from nfcore.views.teacher_file import read_teacher

#: The stage that makes what an exporter takes.
MADE_BY: dict[Takes, Stage] = {"student": "finetune", "teacher": "teach"}


class Artifacts:
    """The artifacts of a run. One that does not exist yet raises a UserError that names the stage that makes it.

    >>> run = nfcore.runs.open("runs/quickstart")  # doctest: +SKIP
    >>> run.results["student.test.psnr"]  # doctest: +SKIP
    31.607519817352294
    >>> run.student.picture(run.source.views("test").cameras[0]).shape  # doctest: +SKIP
    (100, 100, 3)

    Args:
        run: the run's folder.
        components: where components are found; the installed plugins by default.
        source: the scene, if it is already open.
        device: the device of teacher and students; that of the run's configuration by default.

    """

    def __init__(
        self,
        run: Run,
        components: PluginManager | None = None,
        source: RaySource | None = None,
        device: str | None = None,
    ) -> None:
        self.run = run
        self.components = components or plugins()
        self.device = choose_device(device or run.config.device)
        self._references: dict[Takes, Reference] = {}
        if source is not None:
            self.source = source

    @property
    def config(self) -> PipelineConfig:
        """The run's pipeline."""
        return self.run.config

    @property
    def results(self) -> dict[str, Any]:
        """The figures of all finished stages, with the keys of ``summary.json``."""
        return self.run.summary()

    @cached_property
    def source(self) -> RaySource:
        """The scene with its photos."""
        return open_scene(self.config, self.components)

    @cached_property
    def fitted_teacher(self) -> FittedTeacher:
        """The fitted teacher on the run's device, with its reference cameras."""
        self.require("teach")
        teacher, cameras = read_teacher(self.run.teacher_file, self.components)
        if cameras is None:  # fitted by nfcore 0.1
            cameras = reference_cameras(self.source)
        return FittedTeacher(teacher.to(self.device), cameras)

    @property
    def teacher(self) -> Teacher:
        """The fitted teacher itself, on the run's device."""
        return self.fitted_teacher.teacher

    @property
    def distilled(self) -> LightField:
        """The student before fine-tuning, on the run's device; loaded on each access: fine-tuning changes it."""
        self.require("distill")
        return LightField.load(self.run.distilled_file, self.components).to(self.device)

    @cached_property
    def student(self) -> LightField:
        """The finished student, on the run's device."""
        self.require("finetune")
        return LightField.load(self.run.student_file, self.components).to(self.device)

    @property
    def models(self) -> list[SceneModel]:
        """The finished models: the teacher, then the student if there is one."""
        learned = self.renderer == "student" and "finetune" in self.run.finished
        return [self.fitted_teacher, *([self.student] if learned else [])]

    @property
    def shown(self) -> SceneModel:
        """The model that shows the run's result: see ``renderer``."""
        return self.student if self.renderer == "student" else self.fitted_teacher

    @property
    def renderer(self) -> Takes:
        """What shows the run's result: its student, or where its pipeline has none, its teacher."""
        return "teacher" if self.config.student is None else "student"

    @property
    def finished(self) -> bool:
        """Whether the model that shows the run's result is finished."""
        return MADE_BY[self.renderer] in self.run.finished

    @property
    def renders_folder(self) -> Path:
        """The default folder of pictures and videos."""
        return self.run.folder / "renders"

    @property
    def exports(self) -> dict[str, Manifest]:
        """The manifests of the finished exports, by label."""
        finished = (label for label in self.config.export if f"export.{label}" in self.run.finished)
        return {label: Manifest.read(self.run.exports_folder / label) for label in finished}

    def exportable_file(self, takes: Takes) -> Path:
        """Return the file of the model that an exporter takes."""
        self.require(MADE_BY[takes])
        return self.run.student_file if takes == "student" else self.run.teacher_file

    def exportable(self, takes: Takes) -> LightField | FittedTeacher:
        """Return the model that an exporter takes: the student on the CPU, or the teacher on the run's device."""
        if takes == "student":
            return LightField.load(self.exportable_file(takes), self.components)
        return self.fitted_teacher

    def export_reference(self, takes: Takes) -> Reference:
        """Return the reference for an exporter's files: the model, and test photos if they can be read."""
        if takes not in self._references:
            self._references[takes] = Reference(
                self.exportable(takes),
                file=self.exportable_file(takes),
                scene=self.run.finished.get("teach", {}).get("scene"),
                photos=self._test_photos(),
                components=self.components,
            )
        return self._references[takes]

    def new_student(self) -> LightField:
        """Return the untrained student that the configuration describes, on the CPU."""
        return new_student(self.config, self.source, self.components)

    def require_stage(self, stage: Stage) -> None:
        """Raise a UserError unless ``stage`` is one of the run's."""
        stages = stages_of(self.config)
        if stage not in stages:
            raise UserError(
                f"{self.run.folder} has no student, so there is no {stage}: its stages are {', '.join(stages)}"
            )

    def require(self, stage: Stage) -> None:
        """Raise a UserError unless ``stage`` is one of the run's and finished."""
        self.require_stage(stage)
        folder = self.run.folder
        if stage not in self.run.finished:
            raise UserError(f"{folder}: {stage} is not finished; run 'nfcore {stage} {folder}' first")

    def _test_photos(self) -> Views | str:
        """Return the test photos, or why there are none: a run can be exported without its data set."""
        try:
            return self.source.views("test")
        except NfcoreError as error:
            return f"the test photos can't be read: {reason(error)}"


def open_run(
    folder: str | Path, components: PluginManager | None = None, *, device: str | None = None
) -> Artifacts:
    """Return the artifacts of the run in ``folder``; arguments as for ``Artifacts``.

    Raises:
        UserError: there is no run, or its configuration can't be read.

    """
    return Artifacts(Run(Path(folder)), components, device=device)
