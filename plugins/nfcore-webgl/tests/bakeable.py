"""A teacher that can be baked, in each kind of scene: a textured ball, and a shell around it in an open world."""

import torch

import nfcore
from nfcore import BakedField, Cameras, FittedTeacher, Scene, Teacher
from nfcore.exports import BakedRenderer
from nfcore.geometry import Domain, look_at

SCENES = {
    "box": Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1.2)), background=(0.9, 0.75, 0.6)),
    "ndc": Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True),
    "contracted": Scene(near=1, far=30, box=((-1, -1, -1), (1, 1, 1)), unbounded=True),
}
#: Vertices along each side; values of a vertex.
SHAPE, VALUES = (25, 23, 21), 7
HEIGHT, WIDTH = 24, 16


class Ball(Teacher):
    """A ball in the middle of the domain, in colours that depend on place and direction."""

    def __init__(self, options, scene, values=VALUES):
        super().__init__(options, scene)
        self.field_as_data = ball(scene, values)
        self.renderer = BakedRenderer(self.field_as_data)
        self.never = torch.nn.Parameter(torch.zeros(1))

    def fit(self, source, budget, reporter):
        raise NotImplementedError

    def render(self, rays):
        return self.renderer.render(rays)

    def baked(self):
        return self.field_as_data


def ball(scene, values=VALUES):
    domain, generator = Domain.of(scene), torch.Generator().manual_seed(0)
    low, high = (torch.tensor(corner) for corner in domain.box)
    axes = [torch.linspace(-1, 1, n) for n in SHAPE]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    radius = place.norm(dim=-1)
    raw = (0.7 - radius) * 6
    if scene.unbounded:
        raw = torch.maximum(raw, (place.abs().amax(-1) - 0.88) * 6)
    raw = raw.clamp(-1.5, 1.5)
    waves = torch.rand(values, 3, generator=generator) * 12 - 6
    colours = 0.5 + 0.45 * (place @ waves.T).sin()
    solid = torch.nn.functional.max_pool3d(raw[None, None], 2, stride=1)[0, 0] > -0.3
    widths = [(values + 8, 16), (16, 16), (16, 3)]
    layers = tuple(
        (torch.randn(b, a, generator=generator) * (0.6 / a**0.5), 0.1 * torch.randn(b, generator=generator))
        for a, b in widths
    )
    table = torch.cat([raw.reshape(-1, 1), colours.reshape(-1, values)], 1)
    spacing = (high - low) / (torch.tensor(SHAPE) - 1)
    return BakedField(
        scene=scene,
        box=domain.box,
        shape=SHAPE,
        vertices=torch.arange(len(table)),
        table=torch.cat([torch.tensor([[-1.5] + [0.0] * values]), table]),
        occupied=solid,
        bounds=domain.box,
        step=0.7 * float(spacing.min()),
        density_gain=10.0,
        density_shift=-4.0,
        density_scale=62.5 / domain.longest,
        layers=layers,
    )


def cameras(kind):
    if kind == "ndc":
        eyes = torch.tensor([[-0.3, 0.0, 0.0], [0.3, 0.2, 0.1], [0.0, -0.2, -0.1]])
        poses = torch.cat([torch.eye(3).expand(3, 3, 3), eyes[:, :, None]], 2)
    else:
        eyes = torch.tensor([[3.0, 0.5, 1.0], [-1.5, 2.6, 0.2], [-1.0, -2.8, 1.4]])
        poses = look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))
    intrinsics = torch.tensor([[24.0, 24.0, 8.0, 12.0]]).expand(3, 4)
    return Cameras(poses, intrinsics, HEIGHT, WIDTH)


def model(kind="box", values=VALUES):
    return FittedTeacher(Ball(nfcore.Options(), SCENES[kind], values), cameras(kind))
