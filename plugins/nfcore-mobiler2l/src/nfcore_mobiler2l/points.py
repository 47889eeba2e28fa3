"""The K-point encoding: points along each ray, each through a positional encoding (R2L; MobileR2L, section 3)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import RayEncoding, Scene
from nfcore.geometry.spaces import Space


class Points(RayEncoding):
    """K points along each ray as one vector (R2L, section 3), each coordinate with L octaves of sin and cos.

    The frequencies are 2^l for l = 0 .. L-1, without the factor pi of NeRF's equation 4, as in the reference code:
    a coordinate x gives sin(x), sin(2 x), .. and its longest period is 2 pi scene units.

    Channels are point-major: point 1 x, point 1 y, point 1 z, point 2 x, ..; for each such coordinate L sines, L
    cosines and, with ``include_input``, the coordinate itself. Holds no weights and needs no preparation.

    With ``span="box"`` the points are even in the scene's bounded space and their coordinates are those of its
    cube (``nfcore.geometry.spaces``), whatever unit the scene has; with ``"near-far"`` they are the world's. A
    forward-facing scene is always warped to NDC, t = 0 .. 1 from the near plane to infinity.

    Args:
        options: which points, and how they are encoded.
        scene: the bounds of the scene.

    Raises:
        UserError: the scene is forward-facing, but not along -z of the world.

    """

    class Options(nfcore.Options):
        """Options of the K-point encoding."""

        samples: int = Field(8, ge=2, description="Points per ray, K; the first and the last end the span")
        octaves: int = Field(6, ge=1, description="Octaves of the positional encoding, L")
        span: Literal["near-far", "box"] = Field(
            "near-far",
            description="Where the points lie: at depths from the scene's near to its far (the paper), "
            "or over the ray's way through the scene's bounded space, scaled to [-1, 1]: from its entry into the "
            "box to its exit, or on to far where the scene is unbounded",
        )
        jitter: bool = Field(True, description="While training, move each point at random within its interval")
        include_input: bool = Field(True, description="Give the coordinates themselves beside their sin and cos")

    options: Options
    fractions: Tensor
    frequencies: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.channels = options.samples * 3 * (2 * options.octaves + options.include_input)
        self.space = Space.of(scene)
        self._in_space = options.span == "box" or scene.forward_facing
        fractions = torch.linspace(0, 1, options.samples).reshape(1, -1, 1, 1)
        # Constants, not weights: they follow from the options, so they are not saved.
        self.register_buffer("fractions", fractions, persistent=False)
        self.register_buffer("frequencies", 2.0 ** torch.arange(options.octaves)[:, None, None], persistent=False)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) of rays given by two (b, 3, h, w); see ``RayEncoding``."""
        points = self.points(origins, directions).flatten(1, 2)[:, :, None]
        angles = points * self.frequencies
        parts = [angles.sin(), angles.cos()]
        if self.options.include_input:
            parts.append(points)
        return torch.cat(parts, 2).flatten(1, 2)

    def points(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return the points (b, K, 3, h, w) along each ray, nearest first, in scene units or in the cube.

        A ray that misses the box has its K points in one place, where it comes closest to all three pairs of faces
        at once, moved to the cube's face; so the points move continuously when a ray leaves the box.
        """
        fractions = self._fractions(origins)
        if self._in_space:
            points = torch.stack(self.space.coordinates(origins, directions, fractions, dim=1), 2)
            return points if self.scene.forward_facing else points.clamp(-1, 1)
        depths = self.scene.near + (self.scene.far - self.scene.near) * fractions
        return origins[:, None] + depths[:, :, None] * directions[:, None]

    def _fractions(self, origins: Tensor) -> Tensor:
        """Return where in the span the points are, in [0, 1]: (1, K, 1, 1), or (b, K, h, w) with jitter."""
        if not (self.training and self.options.jitter):
            return self.fractions
        between = (self.fractions[:, 1:] + self.fractions[:, :-1]) / 2
        lower = torch.cat([self.fractions[:, :1], between], 1)
        upper = torch.cat([between, self.fractions[:, -1:]], 1)
        batch, _, height, width = origins.shape
        noise = torch.rand(batch, self.options.samples, height, width, device=origins.device)
        return lower + (upper - lower) * noise
