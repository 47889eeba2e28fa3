"""A fitted teacher with a known shape: a ball, upper half red and lower half blue, seen from all around."""

import torch

import nfcore
from nfcore import Cameras, FittedTeacher, OrbitRegion, Rendering, Scene, Teacher

RADIUS, UP = 0.8, torch.tensor([0.0, 0.0, 1.0])
RED, BLUE = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.9])
SCENE = Scene(near=1, far=6, box=((-1, -1, -1), (1, 1, 1.2)), background=(0.9, 0.9, 0.6))


class Ball(Teacher):
    """Its colour, silhouette and depth are computed exactly."""

    radius = RADIUS

    def __init__(self, options, scene):
        super().__init__(options, scene)
        self.never = torch.nn.Parameter(torch.zeros(1))

    def fit(self, source, budget, reporter):
        raise NotImplementedError

    def render(self, rays):
        length = rays.directions.norm(dim=1)
        d = rays.directions / length[:, None]
        b, c = (rays.origins * d).sum(1), (rays.origins**2).sum(1) - self.radius**2
        hit = (b * b > c) & (b < 0)
        distance = -b - (b * b - c).clamp_min(0).sqrt()
        upper = (rays.origins + distance[:, None] * d)[:, 2:] > 0
        rgb = torch.where(hit[:, None], torch.where(upper, RED, BLUE), torch.tensor(self.scene.background))
        return Rendering(rgb, hit.float(), torch.where(hit, distance / length, 0))


def model(side=40):
    region = OrbitRegion(torch.zeros(3), UP, (3.0, 3.0), (-0.6, 0.9))
    poses = region.sample(6, torch.Generator().manual_seed(2))
    intrinsics = torch.tensor([[1.4 * side, 1.4 * side, side / 2, side / 2]]).expand(6, 4)
    return FittedTeacher(Ball(nfcore.Options(), SCENE).eval(), Cameras(poses, intrinsics, side, side))
