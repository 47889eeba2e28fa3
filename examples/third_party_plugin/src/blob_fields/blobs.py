"""A radiance field made of Gaussians."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

import nfcore
from blob_fields.fitting import BlobFit
from blob_fields.line_integrals import cross
from nfcore import Budget, Rays, RaySource, Rendering, Reporter, Scene, Teacher, UserError

#: Rays rendered at once: some ten tables of rays by Gaussians then take about 100 MB.
CHUNK = 4096


class Blobs(Teacher):
    """A mixture of isotropic Gaussians; each has a density and a colour that is linear in the viewing direction.

    It reproduces shape and shading of a scene, but no fine texture, with a few thousand parameters where a voxel
    grid has millions.

    Args:
        options: number and fit of the Gaussians.
        scene: the bounds of the scene.

    """

    class Options(nfcore.Options):
        """Number and fit of the Gaussians."""

        blobs: int = Field(192, ge=1, le=4096, description="Number of Gaussians")
        rays_per_step: int = Field(1024, ge=1, description="Training rays per step")
        learning_rate: float = Field(
            0.1, gt=0, description="Adam's first step size, for centres in units of half the box's diagonal"
        )

    options: Options
    box: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        n = options.blobs
        self.register_buffer("box", torch.tensor(scene.box), persistent=False)
        self.places = nn.Parameter(torch.zeros(n, 3))
        self.log_radii = nn.Parameter(torch.zeros(n))
        self.log_densities = nn.Parameter(torch.zeros(n))
        self.colours = nn.Parameter(torch.zeros(n, 3))
        self.tints = nn.Parameter(torch.zeros(n, 3, 3))

    @property
    def unit(self) -> Tensor:
        """Half the diagonal of the scene's box, scene units: the unit of the parameters."""
        return (self.box[1] - self.box[0]).norm() / 2

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the Gaussians to the training views, starting inside the silhouettes.

        Raises:
            NfcoreError: the loss is not finite.

        """
        BlobFit(self, source.views("train"), budget).run(reporter)

    @torch.no_grad()
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3).

        Raises:
            UserError: the rays have another shape.

        """
        if rays.origins.shape != rays.directions.shape or rays.origins.shape[1:] != (3,):
            shapes = f"{tuple(rays.origins.shape)} and {tuple(rays.directions.shape)}"
            raise UserError(f"rays to render must be (n, 3) and (n, 3), not {shapes}: call Rays.flat() first")
        parts = [self.see(chunk) for chunk in rays.split(CHUNK)] or [self.see(rays)]
        rgb, opacity, depth = (torch.cat(column) for column in zip(*parts, strict=True))
        return Rendering(rgb, opacity, depth)

    def see(self, rays: Rays) -> tuple[Tensor, Tensor, Tensor]:
        """Return RGB (n, 3), opacity (n,) and depth (n,); gradients flow to the parameters."""
        crossings = cross(
            rays,
            self.box.mean(0) + self.unit * self.places,
            self.unit * self.log_radii.exp(),
            self.log_densities.exp() / self.unit,
            self.scene,
        )
        opacity = crossings.weights.sum(1).clamp(0, 1)
        unit = rays.directions / rays.directions.norm(dim=1, keepdim=True)
        # Weights in the order of the Gaussians, so that colours are two matrix products, without a gather.
        weights = torch.zeros_like(crossings.weights).scatter(1, crossings.order, crossings.weights)
        colours = self.colours + torch.einsum("nd,mcd->nmc", unit, self.tints)
        rgb = torch.einsum("nm,nmc->nc", weights, colours.sigmoid())
        background = rgb.new_tensor(self.scene.background)
        rgb = (rgb + (1 - opacity)[:, None] * background).clamp(0, 1)
        depth = (crossings.weights * crossings.depth).sum(1) / opacity.clamp(min=1e-10)
        return rgb, opacity, torch.where(opacity > 1e-10, depth, 0)
