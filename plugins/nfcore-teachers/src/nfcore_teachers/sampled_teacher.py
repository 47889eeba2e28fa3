"""What ``nerf`` and ``mip-nerf`` share: networks of a place, with the same number of samples on every ray."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore.geometry import Domain
from nfcore_teachers.options import SampledOptions
from nfcore_teachers.radiance_network import RadianceNetwork
from nfcore_teachers.rendering import RayColours, rendering, require_flat
from nfcore_teachers.sampled_fit import SampledFit
from nfcore_teachers.sampling import Random

#: Density of 1 from the network is this over half of the domain's longest side.
DENSITY_SCALE = 4.0
#: Samples that are rendered at once: their features are some 250 MB at full width.
CHUNK_SAMPLES = 2**17


class SampledTeacher(Teacher):
    """A neural radiance field; a subclass says where the samples of a ray are, and what is there."""

    #: What the error of the coarse view counts.
    coarse_weight: ClassVar[float]

    options: SampledOptions
    centre: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.domain = Domain.of(scene)
        centre = [(low + high) / 2 for low, high in zip(*self.domain.box, strict=True)]
        self.register_buffer("centre", torch.tensor(centre), persistent=False)
        self.half_side = self.domain.longest / 2
        self.density_scale = DENSITY_SCALE / self.half_side

    @property
    @abstractmethod
    def samples_of_a_ray(self) -> int:
        """How many samples a ray takes."""

    @abstractmethod
    def see(self, rays: Rays, random: Random | None = None) -> tuple[RayColours, RayColours]:
        """Return a coarse and a fine view of ``rays`` (n, 3); differentiable in the weights."""

    @abstractmethod
    def density_at(self, points: Tensor) -> Tensor:
        """Return the network's density (n,) at ``points`` (n, 3) of the domain."""

    def begin(self, generator: torch.Generator) -> None:
        """Initialise the networks again."""
        for network in self.modules():
            if isinstance(network, RadianceNetwork):
                network.begin(generator)

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views.

        Raises:
            NfcoreError: the loss is not finite.

        """
        generator = torch.Generator().manual_seed(budget.seed)
        self.begin(generator)
        SampledFit(self, source.views("train"), budget, generator).run(reporter)

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        require_flat(rays)
        chunk = max(1, CHUNK_SAMPLES // self.samples_of_a_ray)
        return rendering(self.see(part)[1] for part in rays.split(chunk))

    @torch.no_grad()
    def field(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit at world ``points`` (n, 3)."""
        warped = self.domain.warp(points)
        density = torch.cat([self.density_at(part) for part in warped.split(CHUNK_SAMPLES)])
        density = density * self.density_scale * self.domain.per_scene_unit(points)
        return nfcore.Field(torch.where(self.domain.holds(warped), density, 0), None)
