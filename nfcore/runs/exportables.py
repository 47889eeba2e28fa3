"""What a run's exporters are given: its finished student, or its fitted teacher with cameras to look through."""

from __future__ import annotations

from pathlib import Path

from nfcore.errors import UserError
from nfcore.exports.fitted_teacher import FittedTeacher
from nfcore.exports.reference import evenly_spaced
from nfcore.interfaces.exporter import Takes
from nfcore.pipeline.teach import load_teacher
from nfcore.plugin.manager import PluginManager
from nfcore.runs.folder import Run, Stage
from nfcore.runs.scene import open_scene
from nfcore.runtime.devices import choose_device
from nfcore.student.light_field import LightField

#: Cameras of a run's test views that its models are exported with.
REFERENCE_CAMERAS = 25

#: The stage that makes what an exporter takes.
MADE_BY: dict[Takes, Stage] = {"student": "finetune", "teacher": "teach"}


def exportable_file(run: Run, takes: Takes) -> Path:
    """Return the file of the run's student or teacher.

    Raises:
        UserError: the stage that makes it is not finished.

    """
    stage = MADE_BY[takes]
    if stage not in run.results:
        raise UserError(f"{run.folder}: {stage} is not finished; 'nfcore {stage} {run.folder}' does it")
    return run.student if takes == "student" else run.teacher


def exportable(run: Run, takes: Takes, manager: PluginManager) -> LightField | FittedTeacher:
    """Return the run's student on the CPU, or its teacher on the device that computes.

    The teacher has the student's reference cameras, or where there is no student yet those of test views.

    Raises:
        UserError: the stage that makes it is not finished.

    """
    file = exportable_file(run, takes)
    if takes == "student":
        return LightField.load(file, manager)
    teacher = load_teacher(file, manager).to(choose_device(run.config.device))
    if run.student.exists():
        return FittedTeacher(teacher, LightField.load(run.student, manager).cameras)
    views = open_scene(run.config, manager).views("test")
    return FittedTeacher(teacher, evenly_spaced(views.cameras, REFERENCE_CAMERAS))
