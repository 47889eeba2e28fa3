"""The teacher ``hash-grid``: Instant-NGP, a multiresolution hash encoding and two small networks.

Instant-NGP (Mueller et al. 2022): the encoding of section 3; section 5.4's networks for density, with exponential
activation, and for colour seen along spherical harmonics; appendix C's occupancy grid and packed samples, of which
only those that exist are computed. Batches hold a number of samples, not of rays, as there (appendix C).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

import nfcore
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore.geometry import Domain, spherical_harmonics
from nfcore_teachers.descent import Autograd, adam
from nfcore_teachers.hash_encoding import HashEncoding
from nfcore_teachers.linear import Linear
from nfcore_teachers.marched_fit import MarchedFit
from nfcore_teachers.marching import Marcher, WithMarchStep, check_march_step
from nfcore_teachers.occupancy import OccupancyGrid
from nfcore_teachers.options import MarchedOptions
from nfcore_teachers.rendering import render_rays, rendering, require_flat
from nfcore_teachers.resolution import default_resolution

#: Features that the density network hands to the colour network, the first of which is the density's logarithm.
GEOMETRY = 16
#: Degree of the spherical harmonics of a direction, and their number.
DEGREE, HARMONICS = 3, 16
#: Logarithms of density are cut here: their exponential and its gradient stay finite.
LARGEST_LOGARITHM = 12.0
#: Cells of the finest grid to a pixel of the photos' longer side: 2048 cells for photos of 800 pixels.
CELLS_PER_PIXEL = 2.56
#: Rays rendered at once.
CHUNK = 8192


class HashGrid(WithMarchStep, Teacher):
    """A hash-encoded radiance field.

    Args:
        options: see ``Options``.
        scene: the bounds of the scene. The field fills its box, or NDC, or the contracted world; see ``domains``.

    Raises:
        UserError: a forward-facing scene does not lie along -z of the world.

    """

    class Options(MarchedOptions):
        """The sizes are the paper's, for a GPU; the plugin's README has some that suit a CPU."""

        levels: int = Field(16, ge=1, le=32, description="Grids of the encoding")
        features: int = Field(2, ge=1, le=16, description="Features at each vertex of a grid")
        log2_table: int = Field(
            19, ge=8, le=24, description="Rows of each grid's hash table, as a power of 2; 15 suits a CPU"
        )
        coarsest: int = Field(16, ge=2, le=512, description="Cells along each side of the coarsest grid")
        finest: int | None = Field(
            None,
            ge=4,
            le=2**16,
            description="Cells along each side of the finest grid. None: 2.56 a pixel of the photos' longer side",
        )
        hidden: int = Field(64, ge=1, le=256, description="Width of the networks' hidden layers")
        march_samples: int | None = Field(
            None,
            ge=8,
            le=4096,
            description="Samples along the domain's longest side. None: 107 for photos of 100 pixels, 142 for "
            "200, and so on with their size to the power 0.4",
        )
        occupancy_resolution: int | None = Field(
            None, ge=4, le=512, description="Occupancy cells along the longest side. None: half of the samples"
        )
        learning_rate: float = Field(1e-2, gt=0, description="Adam's first step size")
        samples_per_step: int = Field(
            2**18,
            ge=100,
            le=2**24,
            description="Samples per step; the number of rays adapts. 20000 suits a CPU",
        )

    growth: ClassVar[tuple[float, ...]] = ()

    options: Options
    encoding: HashEncoding
    occupancy: OccupancyGrid
    finest: Tensor
    low: Tensor
    size: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.domain = Domain.of(scene)
        low, high = (torch.tensor(corner) for corner in self.domain.box)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("size", high - low, persistent=False)
        self.register_buffer("finest", torch.tensor(self.options.coarsest))
        width, features = self.options.hidden, self.options.levels * self.options.features
        linear = partial(Linear, bias=False)
        self.density_network = nn.ModuleList([linear(features, width), linear(width, GEOMETRY)])
        self.colour_network = nn.ModuleList(
            [linear(GEOMETRY + HARMONICS, width), linear(width, width), linear(width, 3)]
        )
        self.begin(8, torch.Generator().manual_seed(0))

    def begin(self, image_size: int, generator: torch.Generator) -> None:
        """Forget all that was learned: a thin fog, to be fitted to photos of ``image_size`` pixels."""
        options, device = self.options, self.low.device
        samples = options.march_samples or round(default_resolution(image_size) / 0.9)
        self.finest.fill_(options.finest or max(options.coarsest, round(CELLS_PER_PIXEL * image_size)))
        self.march_step.fill_(self.domain.longest / samples)
        self.shape()
        self.encoding.begin(generator)
        cells = options.occupancy_resolution or max(4, samples // 2)
        self.occupancy = OccupancyGrid(self.scene, cells).to(device)
        for layer in (*self.density_network, *self.colour_network):
            layer.begin(generator)

    def shape(self) -> None:
        """Make a new encoding for ``finest``."""
        options = self.options
        self.encoding = HashEncoding(
            options.levels, options.features, options.log2_table, options.coarsest, int(self.finest)
        ).to(self.low.device)

    def density(self, points: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return density (m,) per unit of the domain at its ``points`` (m, 3), and features for the colour."""
        hidden, geometry = self.density_network
        raw = geometry(F.relu(hidden(self.encoding((points - self.low) / self.size))))
        return raw[:, 0].clamp(max=LARGEST_LOGARITHM).exp() / self.domain.longest, (raw,)

    def radiance(self, at: tuple[Tensor, ...], directions: Tensor, ray: Tensor) -> Tensor:
        """Return RGB (k, 3) in [0, 1] of places with features ``at``, seen along ``directions[ray]``."""
        first, second, last = self.colour_network
        hidden = F.relu(first(torch.cat([at[0], spherical_harmonics(directions, DEGREE)[ray]], 1)))
        return torch.sigmoid(last(F.relu(second(hidden))))

    def grow(self, stage: int, image_size: int, generator: torch.Generator) -> None:
        """Do nothing: all grids are there from the beginning."""

    def groups(self) -> list[dict[str, Any]]:
        """Return all parameters with one step size."""
        return [{"params": list(self.parameters()), "lr": self.options.learning_rate}]

    def marcher(self) -> Marcher:
        """Return the way through what is occupied now."""
        return Marcher(self.occupancy, self.march_step.item())

    def update_occupancy(self, threshold: float, share: float, generator: torch.Generator) -> None:
        """Ask for the density at random points of cells; see ``OccupancyGrid.update``."""
        self.occupancy.update(self.density_at, self.march_step.item(), threshold, share, generator)

    def density_at(self, points: Tensor) -> Tensor:
        """Return density (m,) per unit of the domain at its ``points`` (m, 3)."""
        return self.density(points)[0]

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the field to the training views; with alpha, their visual hull is carved first.

        Raises:
            UserError: the silhouettes have nothing in common.
            NfcoreError: the loss is no longer a number.

        """
        views, options = source.views("train"), self.options
        generator = torch.Generator().manual_seed(budget.seed)
        self.begin(max(views.cameras.height, views.cameras.width), generator)
        samples, threshold = options.samples_per_step, options.prune_threshold

        def descent() -> Autograd:
            return Autograd(self, adam(self.groups()), render_rays)

        MarchedFit(self, self, views, budget, generator, samples, threshold, descent).run(reporter)

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        require_flat(rays)
        marcher = self.marcher()
        return rendering(render_rays(self, marcher, self.domain, chunk) for chunk in rays.split(CHUNK))

    @torch.no_grad()
    def field(self, points: Tensor) -> nfcore.Field:
        """Return density (n,) per scene unit at world ``points`` (n, 3), 0 where nothing is occupied."""
        warped = self.domain.warp(points)
        there = self.domain.holds(warped) & self.occupancy.holds(warped)
        density = torch.where(there, self.density(warped)[0] * self.domain.per_scene_unit(points), 0)
        return nfcore.Field(density, None)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the sizes of the grids are taken from it first."""
        if "finest" in state_dict:
            self.finest.fill_(int(state_dict["finest"]))
            self.shape()
        if "occupancy.occupied" in state_dict:
            self.occupancy.restrict(torch.ones_like(state_dict["occupancy.occupied"], device=self.finest.device))
        result = super().load_state_dict(state_dict, strict, assign)
        check_march_step(self.march_step, self.domain)
        return result
