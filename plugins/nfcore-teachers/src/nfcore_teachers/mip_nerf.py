"""The teacher ``mip-nerf``: one network that renders cones instead of rays.

Mip-NeRF (Barron et al. 2021): conical frustums as Gaussians (equations 7 and 8), their integrated positional
encoding (equations 13 and 14), one network evaluated twice with 128 intervals each, the second ones by the blurred
weights of the first (equation 18), and softplus and widened sigmoid (supplement). A cone is as wide as its ray's
footprint, or as the training photos' pixels if the ray has none.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore.geometry import Domain, Paths
from nfcore_teachers.frustums import PIXEL_RADIUS, cone_radius, gaussians
from nfcore_teachers.options import SampledOptions
from nfcore_teachers.positional_encoding import encode_gaussians, gaussians_size
from nfcore_teachers.radiance_network import RadianceNetwork
from nfcore_teachers.rendering import RayColours, rendering, require_flat
from nfcore_teachers.sampled_fit import SampledFit
from nfcore_teachers.sampling import Random, absorbing, composite, quadrature, resampled, span

#: Density of 1 from the network is this over half of the domain's longest side.
DENSITY_SCALE = 4.0
#: Added to the blurred weights, so that empty space is sampled again.
PADDING = 0.01
#: Colours are stretched by this to either side, so that the sigmoid need not saturate.
COLOUR_PADDING = 0.001
#: Samples that are rendered at once: their features are some 250 MB at full width.
CHUNK_SAMPLES = 2**17


class MipNerf(Teacher):
    """A neural radiance field of cones.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene. The field fills its box, or NDC, or the contracted world; see ``domains``.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    class Options(SampledOptions):
        """The sizes are the paper's, for a GPU; the plugin's README has some that suit a CPU."""

        octaves: int = Field(16, ge=1, le=20, description="Octaves of the integrated positional encoding")
        samples: int = Field(128, ge=2, le=1024, description="Intervals on each ray, in each of the two passes")
        final_learning_rate: float = Field(0.01, gt=0, le=1, description="Last step size as a share of the first")

    #: The first pass counts a tenth (equation 17).
    coarse_weight: ClassVar[float] = 0.1

    options: Options
    centre: Tensor
    radius: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.domain = Domain.of(scene)
        centre = [(low + high) / 2 for low, high in zip(*self.domain.box, strict=True)]
        self.register_buffer("centre", torch.tensor(centre), persistent=False)
        self.register_buffer("radius", torch.tensor(0.0))
        self.half_side = self.domain.longest / 2
        self.density_scale = DENSITY_SCALE / self.half_side
        self.network = RadianceNetwork(
            gaussians_size(self.options.octaves), self.options.depth, self.options.width
        )
        self.network.begin(torch.Generator().manual_seed(0))

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views.

        Raises:
            NfcoreError: the loss is not finite.

        """
        options, views = self.options, source.views("train")
        generator = torch.Generator().manual_seed(budget.seed)
        self.network.begin(generator)
        self.radius.fill_(cone_radius(views.cameras))
        SampledFit(
            self,
            views,
            budget,
            generator,
            options.rays_per_step,
            options.learning_rate,
            options.final_learning_rate,
        ).run(reporter)

    def see(self, rays: Rays, random: Random | None = None) -> tuple[RayColours, RayColours]:
        """Return the first and the second pass's rendering of ``rays`` (n, 3); differentiable in the weights."""
        directions = rays.directions / rays.directions.norm(dim=1, keepdim=True)
        paths = self.domain.paths(rays)
        radius = self.radius if rays.footprint is None else PIXEL_RADIUS * rays.footprint[:, None]
        near, far = span(self.domain, paths)
        samples = self.options.samples
        edges = resampled(torch.stack([near, far], 1), torch.ones_like(near)[:, None], samples + 1, random)
        first, weights = self._look(paths, edges, radius, directions)
        edges = resampled(edges, blurred(weights.detach()), samples + 1, random)
        return first, self._look(paths, edges, radius, directions)[0]

    def _look(self, paths: Paths, edges: Tensor, radius: Tensor, directions: Tensor) -> tuple[RayColours, Tensor]:
        """Return the rendering with intervals between ``edges`` (n, s + 1), and their weights (n, s)."""
        distance, mean, variance = gaussians(self.domain, paths, edges, radius)
        density, raw = self.network(self._encoded(mean, variance), directions)
        lengths = absorbing(paths, distance, edges.diff(dim=1))
        weights = quadrature(density * self.density_scale, lengths)
        colour = torch.sigmoid(raw) * (1 + 2 * COLOUR_PADDING) - COLOUR_PADDING
        return composite(self.domain, paths, distance, weights, colour), weights

    def _encoded(self, mean: Tensor, variance: Tensor) -> Tensor:
        return encode_gaussians(
            (mean - self.centre) / self.half_side, variance / self.half_side**2, self.options.octaves
        )

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        require_flat(rays)
        chunk = max(1, CHUNK_SAMPLES // (2 * self.options.samples))
        return rendering(self.see(part)[1] for part in rays.split(chunk))

    @torch.no_grad()
    def field(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit at world ``points`` (n, 3), blurred like a pixel halfway to far."""
        warped, scene = self.domain.warp(points), self.scene
        width = self.radius * (scene.near + scene.far) / 4
        parts = []
        for part in warped.split(CHUNK_SAMPLES):
            spread = torch.as_tensor(width * self.domain.across(part)).expand(len(part))
            variance = (spread**2)[:, None].expand_as(part)
            parts.append(self.network.density_at(self._encoded(part, variance)))
        density = torch.cat(parts) * self.density_scale * self.domain.per_scene_unit(points)
        return nfcore.Field(torch.where(self.domain.holds(warped), density, 0), None)


def blurred(weights: Tensor) -> Tensor:
    """Return ``weights`` (n, s) as the mean of the maxima of neighbours, padded: Mip-NeRF, equation 18."""
    around = F.pad(weights[:, None], (1, 1), mode="replicate")[:, 0]
    largest = torch.maximum(around[:, 1:], around[:, :-1])
    return (largest[:, 1:] + largest[:, :-1]) / 2 + PADDING
