"""A SNeRG teacher without a fit: a textured ball in a box, with a network that answers something everywhere."""

import torch

from nfcore import Cameras, FittedTeacher, Scene
from nfcore.geometry import look_at
from nfcore_snerg.teacher import Snerg
from nfcore_snerg.voxels import rounded

SCENE = Scene(near=2, far=6, box=((-1, -1, -1.2), (1, 1, 1)))
HEIGHT, WIDTH = 20, 14
#: Voxels along the longest side; blocks of 6 voxels and a border of one.
RESOLUTION, BLOCK = 22, 8


def teacher(scene=SCENE, resolution=RESOLUTION, radius=0.7):
    made = Snerg(Snerg.Options(block=BLOCK), scene)
    grid, generator = made.grid(resolution), torch.Generator().manual_seed(0)
    voxels = torch.arange(grid.shape[0] * grid.shape[1] * grid.shape[2])
    place = torch.stack(torch.unravel_index(voxels, grid.shape), 1)
    points = made.frame.points(grid.centres(place))
    distance = points.norm(dim=1)
    ball = distance < radius
    opacity = ((radius - distance[ball]) * 6).clamp(0.05, 1)[:, None]
    waves = torch.rand(7, 3, generator=generator) * 12 - 6
    values = 0.4 + 0.35 * (points[ball] @ waves.T).sin()
    made.store(grid, voxels[ball], rounded(torch.cat([opacity, opacity * values], 1)))
    with torch.no_grad():
        for weight, bias in made.network.layers:
            weight.copy_(torch.randn(weight.shape, generator=generator) * 1.2 / weight.shape[1] ** 0.5)
            bias.copy_(torch.randn(bias.shape, generator=generator) * 0.3)
    return made.eval()


def cameras():
    eyes = torch.tensor([[3.0, 0.5, 1.0], [-1.5, 2.6, 0.2], [-1.0, -2.8, 1.4]])
    poses = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))
    intrinsics = torch.tensor([[22.0, 21.0, 7.3, 10.0]]).expand(3, 4)
    return Cameras(poses, intrinsics, HEIGHT, WIDTH)


def model(**options):
    return FittedTeacher(teacher(**options), cameras())


def psnr(a, b):
    return float(-10 * (a - b).square().mean().clamp_min(1e-14).log10())
