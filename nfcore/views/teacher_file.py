"""The file format of a teacher: safetensors with weights, a card of the component, and reference cameras."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict

from nfcore.errors import UserError
from nfcore.interfaces import Teacher
from nfcore.io.modules import module_with_weights
from nfcore.io.records import Pixels, Record, parse_record
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.student.file import PartCard, camera_tensors, taken_cameras

#: The card's entry in the safetensors metadata.
CARD = "nfcore-teacher"


class TeacherCard(Record):
    """The description in a teacher's file."""

    model_config = ConfigDict(extra="forbid")

    teacher: PartCard
    scene: Scene
    height: Pixels | None = None
    width: Pixels | None = None


def save_teacher(
    teacher: Teacher, path: Path, components: PluginManager | None = None, cameras: Cameras | None = None
) -> None:
    """Write ``teacher`` to one safetensors file, atomically: weights, name, options, scene bounds, ``cameras``.

    With reference ``cameras`` the file is a model of its scene: see ``FittedTeacher.load``.
    """
    name = (components or plugins()).name_of("teacher", teacher)
    card = TeacherCard(
        teacher=PartCard(name=name, options=teacher.options.model_dump(mode="json")),
        scene=teacher.scene,
        height=None if cameras is None else cameras.height,
        width=None if cameras is None else cameras.width,
    )
    seen = {} if cameras is None else camera_tensors(cameras)
    write_safetensors(path, teacher.state_dict() | seen, {CARD: card.model_dump_json(exclude_none=True)})


def load_teacher(path: Path, components: PluginManager | None = None) -> Teacher:
    """Return the teacher in ``path``, in eval mode.

    Raises:
        UserError: the file is missing, damaged, or not a teacher.
        PluginError: its component is not installed.

    """
    return read_teacher(path, components)[0]


def read_teacher(path: Path, components: PluginManager | None) -> tuple[Teacher, Cameras | None]:
    """Return what ``load_teacher`` does, and the reference cameras; None in files of nfcore 0.1."""
    tensors, metadata = read_safetensors(path)
    if CARD not in metadata:
        raise UserError(f"{path}: not a teacher of nfcore (its metadata has no entry {CARD!r})")
    card = parse_record(metadata[CARD], TeacherCard, str(path))
    cameras = None
    if card.height is not None and card.width is not None:
        try:
            cameras = taken_cameras(tensors, card.height, card.width)
        except UserError as error:
            raise UserError(f"{path}: damaged teacher: {error}") from error

    def build() -> Teacher:
        return (components or plugins()).build("teacher", card.teacher.name, card.teacher.options, card.scene)

    return module_with_weights(path, build, tensors, card.teacher.name), cameras
