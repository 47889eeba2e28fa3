"""The teacher ``nerf``: two networks, a coarse one whose weights place the samples of a fine one.

NeRF (Mildenhall et al. 2020): the network of figure 7, positional encoding (equation 4), 64 stratified samples
(equation 2) and 128 more by importance sampling (section 5.2), quadrature by equation 3, and NDC for
forward-facing scenes (appendix C). Density uses softplus instead of ReLU, which
can die (Mip-NeRF's supplement), and samples end at the scene's box.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Rays, Scene
from nfcore.geometry import Paths
from nfcore_teachers.options import SampledOptions
from nfcore_teachers.positional_encoding import encode_points, points_size
from nfcore_teachers.radiance_network import RadianceNetwork
from nfcore_teachers.rendering import RayColours
from nfcore_teachers.sampled_teacher import SampledTeacher
from nfcore_teachers.sampling import Random, absorbing, composite, quadrature, resampled, span, stratified

#: Least weight of an interval for sampling, since the coarse network may have missed something.
LEAST_WEIGHT = 1e-5


class Nerf(SampledTeacher):
    """A neural radiance field.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene. The field fills its box, or NDC, or the contracted world; see ``domains``.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    class Options(SampledOptions):
        """The sizes are the paper's, for a GPU; the plugin's README has some that suit a CPU."""

        octaves: int = Field(10, ge=0, le=16, description="Octaves of the points' positional encoding")
        coarse: int = Field(64, ge=2, le=1024, description="Samples on each ray for the coarse network")
        fine: int = Field(128, ge=1, le=1024, description="Further samples on each ray, for the fine network")

    coarse_weight: ClassVar[float] = 1.0

    options: Options

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        size = (points_size(self.options.octaves), self.options.depth, self.options.width)
        self.coarse, self.fine = RadianceNetwork(*size), RadianceNetwork(*size)
        self.begin(torch.Generator().manual_seed(0))

    @property
    def samples_of_a_ray(self) -> int:
        """Those of the fine network."""
        return self.options.coarse + self.options.fine

    def see(self, rays: Rays, random: Random | None = None) -> tuple[RayColours, RayColours]:
        """Return the coarse and the fine network's rendering of ``rays`` (n, 3); differentiable in the weights."""
        directions = rays.directions / rays.directions.norm(dim=1, keepdim=True)
        paths = self.domain.paths(rays)
        near, far = span(self.domain, paths)
        distance = stratified(near, far, self.options.coarse, random)
        coarse, weights = self._look(self.coarse, paths, distance, far, directions)
        middles = (distance[:, 1:] + distance[:, :-1]) / 2
        edges = torch.cat([near[:, None], middles, far[:, None]], 1)
        further = resampled(edges, weights.detach() + LEAST_WEIGHT, self.options.fine, random)
        both = torch.cat([distance, further], 1).sort(1).values
        return coarse, self._look(self.fine, paths, both, far, directions)[0]

    def _look(
        self, network: RadianceNetwork, paths: Paths, distance: Tensor, far: Tensor, directions: Tensor
    ) -> tuple[RayColours, Tensor]:
        """Return a network's rendering with samples at ``distance`` (n, s), and the samples' weights (n, s)."""
        points = torch.stack(list(paths.along(distance)), -1)
        density, raw = network(self._encoded(points), directions)
        lengths = torch.cat([distance, far[:, None]], 1).diff(dim=1)
        weights = quadrature(density * self.density_scale, absorbing(paths, distance, lengths))
        return composite(self.domain, paths, distance, weights, torch.sigmoid(raw)), weights

    def _encoded(self, points: Tensor) -> Tensor:
        return encode_points((points - self.centre) / self.half_side, self.options.octaves)

    def density_at(self, points: Tensor) -> Tensor:
        """Return the fine network's density (n,) at ``points`` (n, 3) of the domain."""
        return self.fine.density_at(self._encoded(points))
