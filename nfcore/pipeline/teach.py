"""Teach: fit a teacher to the photos; save and load it as a file that needs no photos."""

from __future__ import annotations

from pathlib import Path

from nfcore.interfaces import RaySource, Teacher
from nfcore.interfaces.boundaries import calling, check_source
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.history import History, HistoryReporter
from nfcore.plugin.guard import guarded
from nfcore.plugin.manager import PluginManager
from nfcore.scene.cameras import Cameras
from nfcore.views.teacher_file import read_teacher, write_teacher
from nfcore.views.teacher_views import check_teacher


def teach(teacher: Teacher, source: RaySource, budget: Budget, reporter: Reporter | None = None) -> History:
    """Fit ``teacher`` to the training views of ``source``, in place; set eval mode. Return its history."""
    check_source(source)
    recorder = HistoryReporter(reporter)
    teacher.train()
    with calling(teacher, "fit"), guarded(filters=False, random=False):
        teacher.fit(source, budget, recorder)
    teacher.eval()
    check_teacher(teacher, source.views("train").cameras)
    return recorder.history


def save_teacher(
    teacher: Teacher, path: Path, components: PluginManager | None = None, cameras: Cameras | None = None
) -> None:
    """Write ``teacher`` to one safetensors file, atomically: weights, name, options, scene bounds, ``cameras``.

    With reference ``cameras`` the file is a model of its scene: see ``FittedTeacher.load``.
    """
    write_teacher(path, teacher, cameras, components)


def load_teacher(path: Path, components: PluginManager | None = None) -> Teacher:
    """Return the teacher in ``path``, in eval mode.

    Raises:
        UserError: the file is missing, damaged, or not a teacher.
        PluginError: its component is not installed.

    """
    return read_teacher(path, components)[0]
