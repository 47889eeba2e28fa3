"""The size of a recipe's student and the operations that it takes, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nfcore.config.schema import Choice, StudentConfig
from nfcore.plugin.manager import PluginManager
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, grid_shape
from nfcore.student.complexity import LookUps, macs_and_look_ups, parameters
from nfcore.student.file import PartCard, StudentCard
from nfcore.student.light_field import build_student

#: Any scene: the size of a student does not depend on it.
_SCENE = Scene.model_validate({"near": 2.0, "far": 6.0, "box": ((-1, -1, -1), (1, 1, 1))})


@dataclass(frozen=True)
class StudentSize:
    """The size of a student for images of one size.

    Args:
        rays: ray grid (h, w).
        image: pixels (height, width).
        parameters: trained parameters.
        without_upsampler: parameters without the upsampler's, as the papers' tables count them.
        macs: multiply-accumulate operations for one image.
        look_ups: what it reads for one image at places that depend on the ray.

    """

    rays: tuple[int, int]
    image: tuple[int, int]
    parameters: int
    without_upsampler: int
    macs: int
    look_ups: LookUps


def student_card(config: StudentConfig, scene: Scene, height: int, width: int) -> StudentCard:
    """Return the card of the student that ``config`` describes."""

    def part(choice: Choice) -> PartCard:
        return PartCard(name=choice.name, options=choice.options)

    return StudentCard(
        encoding=part(config.encoding),
        backbone=part(config.backbone),
        upsampler=part(config.upsampler),
        scale=config.scale,
        scene=scene,
        height=height,
        width=width,
    )


def student_size(config: StudentConfig, manager: PluginManager, height: int, width: int) -> StudentSize:
    """Return the size of the student that ``config`` describes, for images of ``height`` x ``width`` pixels.

    Weights that an encoding copies from the teacher exist only in a run, so they are not counted here.

    Raises:
        UserError: the image does not divide into blocks of ``config.scale`` pixels, or an unknown name or option.

    """
    rays = grid_shape(height, width, config.scale)
    pose = torch.eye(4)[None, :3]
    camera = Cameras(pose, torch.tensor([[width, width, width / 2, height / 2]]), height, width)
    with torch.random.fork_rng(devices=[]):
        student = build_student(student_card(config, _SCENE, height, width), camera, manager)
    total = parameters(student)
    without = total - parameters(student.upsampler)
    return StudentSize(rays, (height, width), total, without, *macs_and_look_ups(student))
