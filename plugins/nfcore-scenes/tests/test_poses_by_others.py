"""Poses in other conventions, and photos that were held upside down, are told."""

from __future__ import annotations

import pytest
import torch

from nfcore.dataset import misread
from nfcore.geometry import look_at
from nfcore_scenes.capture_writers import write_colmap
from nfcore_scenes.colmap import Colmap
from nfcore_scenes.photo_shoot import PINHOLE, shoot
from nfcore_scenes.procedural import Procedural


@pytest.mark.parametrize("distances", [torch.full((12, 1), 4.0), torch.linspace(3.5, 4.9, 12)[:, None]])
@pytest.mark.parametrize("axes", [[1.0, 1, 1, 1], [1.0, -1, -1, 1]])
def test_inverted_poses_are_said_wherever_the_cameras_look(distances, axes):
    """Of an orbit around a point off the origin, they seem to look at a point ahead of all of them."""
    target = torch.tensor([0.0, 0, -0.1])
    azimuth = torch.arange(12) * (torch.pi / 6)
    directions = torch.stack([0.8 * azimuth.cos(), 0.8 * azimuth.sin(), torch.full((12,), 0.6)], 1)
    eyes = target + distances * directions
    poses = look_at(eyes, target, torch.tensor([0.0, 0, 1])) * torch.tensor(axes)
    rotation = poses[:, :, :3].transpose(1, 2)
    assert "world-to-camera" in misread(torch.cat([rotation, -rotation @ poses[:, :, 3:]], 2))
    said = misread(poses)
    assert said is None if axes[1] > 0 else "OpenCV" in said


def test_photos_that_are_all_upside_down_are_told(tmp_path):
    azimuth = torch.arange(10) * (torch.pi / 5)
    eyes = 4 * torch.stack([0.8 * azimuth.cos(), 0.8 * azimuth.sin(), torch.full((10,), 0.6)], 1)
    half_a_turn = torch.tensor([-1.0, -1, 1, 1])
    poses = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0, 1])) * half_a_turn
    scene = Procedural(Procedural.Options())
    write_colmap(shoot(scene, poses, PINHOLE.scaled(16, 16), alpha=False), tmp_path / "room")
    source = Colmap(Colmap.Options(path=tmp_path / "room"))
    assert any("upside_down" in note for note in source.notes)
    turned = Colmap(Colmap.Options(path=tmp_path / "room", upside_down=True))
    assert not any("upside_down" in note for note in turned.notes)
    assert turned.views("train").cameras.poses[:, 2, 3].min() > 0
