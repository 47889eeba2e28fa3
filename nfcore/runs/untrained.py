"""The untrained student of a run."""

from __future__ import annotations

import torch

from nfcore.config.schema import PipelineConfig
from nfcore.exports.reference import evenly_spaced
from nfcore.interfaces import RaySource
from nfcore.plugin.manager import PluginManager
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField, build_student
from nfcore.student.sizes import student_card

_REFERENCE_CAMERAS = 25


def reference_cameras(source: RaySource) -> Cameras:
    """Return the cameras that are saved with a student: some of the test views', evenly spaced."""
    return evenly_spaced(source.views("test").cameras, _REFERENCE_CAMERAS)


def new_student(config: PipelineConfig, source: RaySource, components: PluginManager) -> LightField:
    """Return the untrained student that ``config`` describes, on the CPU; its weights depend on the seed only.

    Raises:
        UserError: the pipeline has no student.

    """
    cameras = reference_cameras(source)
    card = student_card(config.student_training().student, source.scene, cameras.height, cameras.width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return build_student(card, cameras, components)
