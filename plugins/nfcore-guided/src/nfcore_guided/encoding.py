"""The guided encoding: a few points per ray where the teacher has density, each with learned features."""

from __future__ import annotations

import copy
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

import nfcore
from nfcore import Cameras, RayEncoding, Scene, Space, Target, Teacher
from nfcore.geometry import BASIS_SIZE, spherical_harmonics
from nfcore_guided.density_sampling import DEVIATION, sample_density
from nfcore_guided.fused import Frozen, encode, loaded_for
from nfcore_guided.march import march
from nfcore_guided.planes import TriPlanes
from nfcore_guided.volumes import FeatureTable, GatheredVolume, Volume

#: Optical depth of a cell from which its vertex and the neighbouring ones get features of their own.
OCCUPIED = 0.02


class Guided(RayEncoding):
    """K points per ray at quantiles of the teacher's rendering weights, with features looked up at them.

    ``prepare`` copies the teacher's density into a grid, which is not trained. Each ray is marched through it;
    its points are quantiles of the volume rendering weights. At every point c learned features are looked up,
    initialised with the teacher's own features where it has some. The ray's features are, in this order: those
    of its points (K * c), its opacity, the distance between its first and last point, the mean of the points
    with sin and cos of L octaves, and nine spherical harmonics of its direction.

    Geometry and features are stored in the coordinates of ``nfcore.Space``, so any kind of scene works.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene.

    Raises:
        UserError: the scene is forward-facing, but not along -z of the world.

    """

    class Options(nfcore.Options):
        """Options of the guided encoding."""

        points: int = Field(4, ge=1, le=256, description="Points per ray, K")
        channels: int = Field(8, ge=1, le=256, description="Learned features at each point, c")
        lookup: Literal["volume", "planes"] = Field(
            "volume",
            description="Where features are stored: in a volume, at the vertices around occupied cells, or in "
            "three planes, which take less space and do not start from the teacher's features",
        )
        resolution: int = Field(
            64, ge=8, le=256, description="Vertices along each side of the cube, texels of planes"
        )
        steps: int = Field(32, ge=2, le=4096, description="Samples of the march through the teacher's density")
        octaves: int = Field(2, ge=0, le=16, description="Octaves of sin and cos of the points' mean, L")

    options: Options
    frequencies: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.space = Space.of(scene)
        self.channels = options.points * options.channels + 2 + 3 * (1 + 2 * options.octaves) + BASIS_SIZE
        self.geometry: nn.Module = Volume(torch.zeros(options.resolution**3, 1))
        frequencies = 2.0 ** torch.arange(options.octaves).reshape(1, -1, 1, 1, 1)
        self.register_buffer("frequencies", frequencies, persistent=False)
        make = FeatureTable if options.lookup == "volume" else TriPlanes
        self.features: nn.Module = make(options.resolution, options.channels)
        self._frozen: Frozen | None = None

    @torch.no_grad()
    def prepare(self, teacher: Teacher, scene: Scene, cameras: Cameras) -> None:
        """Copy geometry and initial features from ``teacher``; see ``RayEncoding``.

        Raises:
            NfcoreError: the teacher's scene is empty, or it returns NaN.

        """
        options, resolution = self.options, self.options.resolution
        samples = sample_density(teacher, self.space, cameras, resolution)
        assert isinstance(self.geometry, Volume)
        self.geometry.fill(samples.density[:, None])
        if not isinstance(self.features, FeatureTable):
            return
        opaque = (samples.density * samples.cell).reshape(1, 1, resolution, resolution, resolution)
        occupied = (F.max_pool3d(opaque, 3, 1, 1) > OCCUPIED).flatten()
        first = DEVIATION * torch.randn(int(occupied.sum()), options.channels)
        if samples.features is not None:
            taken = min(options.channels, samples.features.shape[1])
            first[:, :taken] = samples.features[occupied, :taken]
        self.features.occupy(occupied, first)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) of rays given by two (b, 3, h, w); see ``RayEncoding``."""
        fused = self._fused(origins, directions)
        return self._by_torch(origins, directions) if fused is None else fused

    def _fused(self, origins: Tensor, directions: Tensor) -> Tensor | None:
        """Return the same by fused kernels; None where they can't do it."""
        options, geometry, features = self.options, self.geometry, self.features
        if not (isinstance(geometry, Volume) and isinstance(features, FeatureTable)):
            return None
        if torch.is_grad_enabled() and (origins.requires_grad or directions.requires_grad):
            return None
        kernels = loaded_for(origins, directions, geometry.values, features.table)
        if kernels is None:
            return None
        density, rows = geometry.values.view(-1), features.rows
        if self._frozen is None or not self._frozen.is_of(density, rows):
            self._frozen = Frozen(self.space, density, rows, options.resolution)
        counts = options.steps, options.points, options.octaves
        return encode(kernels, self._frozen, counts, self.channels, features.table, origins, directions)

    def _by_torch(self, origins: Tensor, directions: Tensor) -> Tensor:
        options = self.options
        fractions, opacity = march(self.geometry, self.space, origins, directions, options.steps, options.points)
        xyz = [x.clamp(-1, 1) for x in self.space.coordinates(origins, directions, fractions, 1)]
        spread = sum(((x[:, -1:] - x[:, :1]).square() for x in xyz), torch.zeros_like(opacity)).sqrt()
        mean = torch.cat([x.mean(1, keepdim=True) for x in xyz], 1)
        angles = (mean[:, None] * self.frequencies).flatten(1, 2)
        view = spherical_harmonics(directions / directions.square().sum(1, keepdim=True).sqrt(), dim=1)
        ray = [opacity, spread, mean, angles.sin(), angles.cos(), view]
        return torch.cat([self.features(xyz), *ray], 1)

    def deployed(self, target: Target) -> nn.Module:
        """Return the same function with lookups that ``target`` supports; see ``RayEncoding``."""
        twin = copy.deepcopy(self)
        resolution = self.options.resolution
        assert isinstance(self.geometry, Volume)
        density = self.geometry.flat()
        if target.volumes:
            twin.geometry = Volume(density, target.half)
        else:
            twin.geometry = GatheredVolume(density, resolution, half=target.half)
        if isinstance(self.features, FeatureTable):
            table, rows = self.features.table.detach(), self.features.rows
            if target.volumes:
                twin.features = Volume(self.features.dense(), target.half)
            else:
                twin.features = GatheredVolume(table, resolution, rows, target.half)
        return twin
