"""Untrained students of the recipes, for speed benchmarks."""

from __future__ import annotations

from nfcore import Cameras, LightField, Scene, plugins
from nfcore.config.resolve import configure
from nfcore.geometry.orbits import OrbitRegion
from nfcore.student.file import PartCard, StudentCard
from nfcore.student.light_field import build_student


def build(recipe: str, image_size: int) -> LightField:
    """Return the student of ``recipe`` for square images of ``image_size`` pixels."""
    import torch

    config = configure(recipe, plugins())
    parts = {
        part: PartCard(name=choice.name, options=choice.options)
        for part in ("encoding", "backbone", "upsampler")
        if (choice := getattr(config.student, part))
    }
    region = OrbitRegion(torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]), (4.0, 4.0), (0.3, 0.6))
    intrinsics = torch.tensor([1.39, 1.39, 0.5, 0.5]) * image_size
    cameras = Cameras(region.circle(8), intrinsics.expand(8, -1), image_size, image_size)
    scene = Scene(near=2, far=6, box=((-1.25,) * 3, (1.25,) * 3))
    card = StudentCard(**parts, scale=config.student.scale, scene=scene, height=image_size, width=image_size)
    return build_student(card, cameras, plugins()).eval()
