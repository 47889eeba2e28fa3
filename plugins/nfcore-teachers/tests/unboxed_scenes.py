"""Small scenes without alpha that have no box around them, computed: what teachers must take too."""

import torch

import nfcore
from nfcore import Cameras, Rays, RaySource, Scene, Views


def texture(points):
    """Colours (n, 3) in [0.1, 0.9], of waves some pixels long, each along all three axes."""
    waves = torch.tensor([[3.1, -1.3, 2.3], [1.1, 3.7, -1.9], [-2.9, 1.7, 2.7]])
    return 0.5 + 0.4 * (points @ waves.t()).sin()


class Computed(RaySource):
    """16x16 photos of ``colours(rays)``; the last of ``positions`` is the test view."""

    side, focal = 16, 16.0

    def __init__(self):
        super().__init__(nfcore.Options(), self.side)

    @property
    def name(self):
        return type(self).__name__

    def views(self, split):
        every = self.cameras()
        cameras = every[len(every) - 1] if split == "test" else every[slice(0, len(every) - 1)]
        fine = Cameras(cameras.poses, cameras.intrinsics * 2, 2 * self.side, 2 * self.side)
        rgb = self.colours(fine.rays().flat())
        images = rgb.view(len(cameras), self.side, 2, self.side, 2, 3).mean((2, 4))
        return Views(cameras, images, None, tuple(str(i) for i in range(len(cameras))))

    def sample_cameras(self, n, generator):
        return self.cameras()[torch.randint(9, (n,), generator=generator)]

    def at(self, poses):
        half = self.side / 2
        intrinsics = torch.tensor([[self.focal, self.focal, half, half]]).repeat(len(poses), 1)
        return Cameras(poses, intrinsics, self.side, self.side)


class Wall(Computed):
    """A wall at z = -4, and a smaller one in front of it at z = -2, seen by cameras that look along -z."""

    @property
    def scene(self):
        return Scene(near=1.6, far=5.0, box=((-4.0, -4.0, -5.0), (4.0, 4.0, -1.6)), forward_facing=True)

    def cameras(self):
        across = torch.cartesian_prod(torch.linspace(-0.5, 0.5, 3), torch.linspace(-0.5, 0.5, 3))
        across = torch.cat([across, torch.tensor([[0.2, 0.1]])])
        positions = torch.cat([across, torch.zeros(len(across), 1)], 1)
        return self.at(torch.cat([torch.eye(3).expand(len(positions), 3, 3), positions[:, :, None]], 2))

    def depth(self, rays):
        """Depth (n,) in t: directions have z = -1."""
        front = rays.origins + 2 * rays.directions
        return torch.where(front[:, :2].abs().amax(1) < 0.5, 2.0, 4.0)

    def colours(self, rays):
        return texture(rays.origins + self.depth(rays)[:, None] * rays.directions)


class Room(Computed):
    """A ball at the origin within a sphere of radius 12, seen all around by cameras at a distance of 3."""

    focal = 10.0

    @property
    def scene(self):
        return Scene(near=2.0, far=20.0, box=((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)), unbounded=True)

    def cameras(self):
        angle = torch.cat([torch.arange(30) * 2 * torch.pi / 30, torch.tensor([0.3])])
        level = torch.cat([torch.tensor([-0.3, 0.0, 0.3]).repeat(10), torch.tensor([0.1])])
        backward = torch.stack([angle.cos(), angle.sin(), level], 1)
        backward = backward / backward.norm(dim=1, keepdim=True)
        right = torch.stack([-angle.sin(), angle.cos(), torch.zeros(31)], 1)
        up = torch.linalg.cross(backward, right)
        return self.at(torch.stack([right, up, backward, 3 * backward], 2))

    def depth(self, rays):
        """Depth (n,) in t of the ball, or of the sphere around."""
        a = (rays.directions**2).sum(1)
        b = (rays.origins * rays.directions).sum(1)

        def crossing(radius, side):
            discriminant = b**2 - a * ((rays.origins**2).sum(1) - radius**2)
            return discriminant > 0, (-b + side * discriminant.clamp(min=0).sqrt()) / a

        hit, ball = crossing(0.7, -1)
        return torch.where(hit, ball, crossing(12.0, 1)[1])

    def colours(self, rays):
        points = rays.origins + self.depth(rays)[:, None] * rays.directions
        return texture(torch.where(points.norm(dim=1, keepdim=True) > 1, points / 12, points / 2))


def seen_through(field, rays, begin, end, steps=4000):
    """Opacity (n,) of world rays by the density that ``field`` tells, even in disparity between two depths."""
    edges = 1 / torch.linspace(1 / begin, 1 / end, steps + 1)
    middles, lengths = (edges[1:] + edges[:-1]) / 2, edges.diff()
    points = rays.origins[:, None] + middles[:, None] * rays.directions[:, None]
    density = field(points.view(-1, 3)).density.view(len(rays), steps)
    absorbed = density * lengths * rays.directions.norm(dim=1, keepdim=True)
    return 1 - torch.exp(-absorbed.sum(1))


def some_rays(source, n=24):
    rays = source.views("test").cameras.rays().flat()
    chosen = torch.randperm(len(rays), generator=torch.Generator().manual_seed(0))[:n]
    return Rays(rays.origins[chosen], rays.directions[chosen])
