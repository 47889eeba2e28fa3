"""Teach: fit a teacher to the photos; save and load it as a file that needs no photos."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict

from nfcore.errors import UserError
from nfcore.interfaces import RaySource, Teacher
from nfcore.interfaces.boundaries import calling, check_source
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.reporting import Reporter
from nfcore.io.modules import module_with_weights
from nfcore.io.records import Record, parse_record
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.pipeline.history import History, HistoryReporter
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.scene.bounds import Scene
from nfcore.student.file import PartCard
from nfcore.views.teacher_views import check_teacher


def teach(teacher: Teacher, source: RaySource, budget: Budget, reporter: Reporter | None = None) -> History:
    """Fit ``teacher`` to the training views of ``source``, in place; set eval mode. Return its history."""
    check_source(source)
    recorder = HistoryReporter(reporter)
    teacher.train()
    with calling(teacher, "fit"):
        teacher.fit(source, budget, recorder)
    teacher.eval()
    check_teacher(teacher, source.views("train").cameras)
    return recorder.history


class TeacherCard(Record):
    """The description in a teacher's file."""

    model_config = ConfigDict(extra="forbid")

    teacher: PartCard
    scene: Scene


def save_teacher(teacher: Teacher, path: Path, components: PluginManager | None = None) -> None:
    """Write ``teacher`` to one safetensors file, atomically: weights, name, options, scene bounds."""
    name = (components or plugins()).name_of("teacher", teacher)
    card = TeacherCard(
        teacher=PartCard(name=name, options=teacher.options.model_dump(mode="json")), scene=teacher.scene
    )
    write_safetensors(path, teacher.state_dict(), {"nfcore-teacher": card.model_dump_json()})


def load_teacher(path: Path, components: PluginManager | None = None) -> Teacher:
    """Return the teacher in ``path``, in eval mode.

    Raises:
        UserError: the file is missing, damaged, or not a teacher.
        PluginError: its component is not installed.

    """
    tensors, metadata = read_safetensors(path)
    if "nfcore-teacher" not in metadata:
        raise UserError(f"{path}: not a teacher of nfcore (its metadata has no entry 'nfcore-teacher')")
    card = parse_record(metadata["nfcore-teacher"], TeacherCard, str(path))

    def build() -> Teacher:
        return (components or plugins()).build("teacher", card.teacher.name, card.teacher.options, card.scene)

    return module_with_weights(path, build, tensors, card.teacher.name)
