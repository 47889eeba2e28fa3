"""A teacher that is a volume with a known surface: a ball, upper half red and lower half blue."""

import torch

import nfcore
from nfcore import Cameras, Field, FittedTeacher, Rendering, Scene, Teacher
from nfcore.geometry import look_at

RADIUS, UP = 0.8, torch.tensor([0.0, 0.0, 1.0])
RED, BLUE = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.9])
SCENES = {
    "box": Scene(near=1, far=6, box=((-1, -1, -1), (1, 1, 1.2)), background=(0.9, 0.9, 0.6)),
    "unbounded": Scene(near=0.5, far=20, box=((-1, -1, -1), (1, 1, 1)), background=(0, 0, 0), unbounded=True),
    "forward": Scene(near=1.5, far=8, box=((-8, -4, -8), (8, 4, -1)), background=(0, 0, 0), forward_facing=True),
}


class Ball(Teacher):
    """Opaque from its surface inwards; its depth and silhouette are computed exactly."""

    centre = torch.zeros(3)
    has_field = True
    density = 60.0

    def __init__(self, options, scene):
        super().__init__(options, scene)
        self.never = torch.nn.Parameter(torch.zeros(1))
        if scene.forward_facing:
            self.centre = torch.tensor([0.0, 0.0, -3.0])

    def fit(self, source, budget, reporter):
        raise NotImplementedError

    def render(self, rays):
        length = rays.directions.norm(dim=1)
        d = rays.directions / length[:, None]
        o = rays.origins - self.centre
        b, c = (o * d).sum(1), (o * o).sum(1) - RADIUS**2
        hit = (b * b > c) & (b < 0)
        distance = -b - (b * b - c).clamp_min(0).sqrt()
        upper = (o + distance[:, None] * d)[:, 2:] > 0
        colour = torch.where(upper, RED, BLUE)
        rgb = torch.where(hit[:, None], colour, torch.tensor(self.scene.background))
        return Rendering(rgb, hit.float(), torch.where(hit, distance / length, 0))

    def field(self, points):
        if not self.has_field:
            return None
        # A soft edge, half as dense at the surface.
        edge = (RADIUS - (points - self.centre).norm(dim=1)) * 80
        return Field(2 * self.density * edge.sigmoid(), None)


def cameras(kind="box", side=48):
    if kind == "forward":
        eyes = torch.tensor([[-0.3, 0.0, 0.0], [0.3, 0.2, 0.1], [0.0, -0.2, -0.1]])
        poses = torch.cat([torch.eye(3).expand(3, 3, 3), eyes[:, :, None]], 2)
    else:
        turns = torch.arange(6) * torch.pi / 3
        heights = torch.tensor([1.6, -1.2, 0.4, 2.0, -0.3, 0.9])
        poses = look_at(torch.stack([2.6 * turns.cos(), 2.6 * turns.sin(), heights], 1), torch.zeros(3), UP)
    intrinsics = torch.tensor([[1.2 * side, 1.2 * side, side / 2, side / 2]])
    return Cameras(poses, intrinsics.expand(len(poses), 4), side, side)


def model(kind="box"):
    return FittedTeacher(Ball(nfcore.Options(), SCENES[kind]), cameras(kind))
