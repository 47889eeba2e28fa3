"""Rays as lines: Plücker coordinates through random Fourier features."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

import nfcore
from nfcore import RayEncoding, Scene, UserError


class PluckerFourier(RayEncoding):
    """Plücker coordinates p of each ray, with the sines and cosines of random projections of them.

    The six coordinates are the ray's unit direction and its moment about the centre of the scene's box, in units
    of half the box's diagonal. They depend on the line alone, not on the origin of the ray on it, and for every
    ray that intersects the box they are in [-1, 1] (light field networks: Sitzmann et al. 2021, section 3).

    Fourier features (Tancik et al. 2020, equation 5) are sin(2 pi B p) and cos(2 pi B p). The rows of B are drawn
    once from a normal distribution whose standard deviation is the ``bandwidth``. B is saved with the weights.

    Channels: the six coordinates, the sines, the cosines. Needs no preparation.

    Args:
        options: number of features and their frequencies.
        scene: the bounds of the scene.

    Raises:
        UserError: the scene is forward-facing.

    """

    class Options(nfcore.Options):
        """Options of the encoding."""

        frequencies: int = Field(64, ge=1, description="Number of random frequencies, each with a sin and a cos")
        bandwidth: float = Field(
            0.25,
            gt=0,
            description="Standard deviation of the frequencies, in periods per half diagonal of the box",
        )
        learned: bool = Field(False, description="Train the frequencies with the network")
        seed: int = Field(0, ge=0, description="Seed of the frequencies")

    options: Options
    projection: Tensor
    centre: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        if scene.forward_facing:
            raise UserError(
                "encoding 'plucker-fourier' takes scenes in a box, not forward-facing ones: "
                "choose one that warps rays to NDC"
            )
        self.channels = 6 + 2 * options.frequencies
        low, high = torch.tensor(scene.box)
        self.radius = float((high - low).norm()) / 2
        self.register_buffer("centre", ((low + high) / 2)[:, None, None], persistent=False)
        # A generator of its own: B does not depend on earlier random numbers, nor does it change later ones.
        generator = torch.Generator().manual_seed(options.seed)
        projection = options.bandwidth * torch.randn(options.frequencies, 6, generator=generator)
        if options.learned:
            self.projection = nn.Parameter(projection)
        else:
            self.register_buffer("projection", projection)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) of rays given by two (b, 3, h, w); see ``nfcore.RayEncoding``."""
        coordinates = self.coordinates(origins, directions)
        angles = F.conv2d(coordinates, 2 * math.pi * self.projection[:, :, None, None])
        return torch.cat([coordinates, angles.sin(), angles.cos()], 1)

    def coordinates(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return Plücker coordinates (b, 6, h, w): unit direction and moment, without unit; differentiable."""
        unit = directions / directions.square().sum(1, keepdim=True).sqrt()
        x, y, z = ((origins - self.centre) / self.radius).split(1, 1)
        u, v, w = unit.split(1, 1)
        return torch.cat([unit, y * w - z * v, z * u - x * w, x * v - y * u], 1)
