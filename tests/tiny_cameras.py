"""Cameras around the tiny scene and before it, and what must hold of any."""

from __future__ import annotations

import math

import tiny
import torch

from nfcore import Cameras, OrbitRegion
from nfcore.geometry.orbits import look_at
from nfcore.views.training_views import TrainingViews

UP = torch.tensor([0.0, 0.0, 1.0])


def ring(n: int = 12, low: float = 0.1, high: float = 0.7) -> Cameras:
    """Cameras around the origin at heights between ``low`` and ``high``."""
    azimuth, height = torch.arange(n) * (2 * math.pi / n), torch.linspace(low, high, n)
    region = OrbitRegion(torch.zeros(3), UP, (3.0, 3.0), (low, high))
    return tiny.cameras(region.poses(azimuth, height, torch.full((n,), 3.0)))


def row() -> Cameras:
    """Cameras in a row of two by three that all look along -z."""
    eyes = torch.tensor([[x, y, 0.1 * x] for x in (-1.0, 0.0, 1.0) for y in (-0.5, 0.5)])
    axis = torch.tensor([0.0, 0.0, -1.0])
    return tiny.cameras(look_at(eyes, eyes + axis + 0.05 * eyes, torch.tensor([0.0, 1.0, 0.0])))


def assert_rigid(poses: torch.Tensor) -> None:
    rotation = poses[:, :, :3]
    torch.testing.assert_close(rotation.mT @ rotation, torch.eye(3).expand(len(poses), 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(len(poses)))


def assert_each_image_is_what_its_camera_sees(views: TrainingViews) -> None:
    n = len(views)
    seen = tiny.sky(views.cameras.rays().directions[:n])
    assert (views.images[:n].float() / 255 - seen).abs().max() < 0.51 / 255
