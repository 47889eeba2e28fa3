"""A fitted teacher without a fit: two spheres, one in the other, of random texels some of which are not there."""

import torch

from nfcore import Cameras, FittedTeacher, Scene
from nfcore.geometry import look_at
from nfcore_mobilenerf.mesh import Quads
from nfcore_mobilenerf.polygons import Polygons
from nfcore_mobilenerf.teacher import MobileNeRF

SCENE = Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1.2)), background=(0.9, 0.75, 0.6))
HEIGHT, WIDTH, TEXELS = 36, 24, 3


def quads(radius=0.8, rows=6, columns=8):
    """A sphere of quads."""
    up = torch.linspace(-1.4, 1.4, rows + 1)[:, None]
    around = torch.arange(columns) * (2 * torch.pi / columns)
    place = torch.stack([up.cos() * around.cos(), up.cos() * around.sin(), up.sin().expand(-1, columns)], -1)
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    beside = (column + 1) % columns
    corners = torch.stack(
        [
            row * columns + column,
            row * columns + beside,
            (row + 1) * columns + beside,
            (row + 1) * columns + column,
        ]
    )
    return Quads(radius * place.reshape(-1, 3), corners.flatten(1).T.contiguous().int())


def polygons():
    """Both spheres; a third of the outer one's texels are not there."""
    outer, inner = quads(0.9), quads(0.6)
    together = Quads(
        torch.cat([outer.vertices, inner.vertices]),
        torch.cat([outer.corners, inner.corners + len(outer.vertices)]),
    )
    generator = torch.Generator().manual_seed(0)
    count = len(together) * TEXELS**2
    features = torch.randint(1, 256, (count, 8), generator=generator).to(torch.uint8)
    opaque = torch.rand(count, generator=generator) > 0.33
    opaque[count // 2 :] = True
    layers = tuple(
        (torch.randn(b, a, generator=generator) * (2 / a) ** 0.5, 0.1 * torch.randn(b, generator=generator))
        for a, b in ((11, 16), (16, 16), (16, 3))
    )
    return Polygons(together, TEXELS, features, opaque, layers)


def cameras():
    """Three, from outside; the last one is near enough to have polygons behind it."""
    eyes = torch.tensor([[3.0, 0.5, 1.0], [-1.5, 2.6, 0.2], [-0.4, -1.1, 0.5]])
    poses = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))
    intrinsics = torch.tensor([[36.0, 36.0, 12.0, 18.0]]).expand(3, 4)
    return Cameras(poses, intrinsics, HEIGHT, WIDTH)


def teacher():
    """The teacher that shows them."""
    found = MobileNeRF(MobileNeRF.Options(), SCENE)
    found.take(polygons())
    return found.eval()


def model():
    """It, with its cameras."""
    return FittedTeacher(teacher(), cameras())


def psnr(a, b):
    return float(-10 * (a - b).square().mean().clamp_min(1e-14).log10())
