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
from nfcore import Budget, Rays, RaySource, Reporter, Scene
from nfcore.geometry import Paths
from nfcore_teachers.frustums import PIXEL_RADIUS, cone_radius, gaussians
from nfcore_teachers.options import SampledOptions
from nfcore_teachers.positional_encoding import encode_gaussians, gaussians_size
from nfcore_teachers.radiance_network import RadianceNetwork
from nfcore_teachers.rendering import RayColours
from nfcore_teachers.sampled_teacher import SampledTeacher
from nfcore_teachers.sampling import Random, absorbing, composite, quadrature, resampled, span

#: Added to the blurred weights, so that empty space is sampled again.
PADDING = 0.01
#: Colours are stretched by this to either side, so that the sigmoid need not saturate.
COLOUR_PADDING = 0.001


class MipNerf(SampledTeacher):
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
    radius: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.register_buffer("radius", torch.tensor(0.0))
        self.network = RadianceNetwork(
            gaussians_size(self.options.octaves), self.options.depth, self.options.width
        )
        self.begin(torch.Generator().manual_seed(0))

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views.

        Raises:
            NfcoreError: the loss is not finite.

        """
        self.radius.fill_(cone_radius(source.views("train").cameras))
        super().fit(source, budget, reporter)

    @property
    def samples_of_a_ray(self) -> int:
        """Those of both passes."""
        return 2 * self.options.samples

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

    def density_at(self, points: Tensor) -> Tensor:
        """Return density (n,) at ``points`` (n, 3) of the domain, blurred like a pixel halfway to far."""
        width = self.radius * (self.scene.near + self.scene.far) / 4
        spread = torch.as_tensor(width * self.domain.across(points)).expand(len(points))
        variance = (spread**2)[:, None].expand_as(points)
        return self.network.density_at(self._encoded(points, variance))


def blurred(weights: Tensor) -> Tensor:
    """Return ``weights`` (n, s) as the mean of the maxima of neighbours, padded: Mip-NeRF, equation 18."""
    around = F.pad(weights[:, None], (1, 1), mode="replicate")[:, 0]
    largest = torch.maximum(around[:, 1:], around[:, :-1])
    return (largest[:, 1:] + largest[:, :-1]) / 2 + PADDING
