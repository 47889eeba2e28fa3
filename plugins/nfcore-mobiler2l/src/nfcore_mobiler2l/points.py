"""The K-point encoding: points along each ray, each through a positional encoding (R2L; MobileR2L, section 3)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import RayEncoding, Scene
from nfcore_mobiler2l.ndc import far_face_ratios, to_ndc

#: Stands in for a smaller component of a direction, where a division would overflow.
LEAST_COMPONENT = 1e-6


class Points(RayEncoding):
    """K points along each ray as one vector (R2L, section 3), each coordinate with L octaves of sin and cos.

    The frequencies are 2^l for l = 0 .. L-1, without the factor pi of NeRF's equation 4, as in the reference code:
    a coordinate x gives sin(x), sin(2 x), .. and its longest period is 2 pi scene units.

    Channels are point-major: point 1 x, point 1 y, point 1 z, point 2 x, ..; for each such coordinate L sines, L
    cosines and, with ``include_input``, the coordinate itself. Holds no weights and needs no preparation.

    In a forward-facing scene the rays are warped to NDC, whose cube takes the box's place: either ``span`` is then
    t = 0 .. 1, from the near plane to infinity.

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
            "or between the ray's entry into the scene's box and its exit from it",
        )
        jitter: bool = Field(True, description="While training, move each point at random within its interval")
        include_input: bool = Field(True, description="Give the coordinates themselves beside their sin and cos")

    options: Options
    fractions: Tensor
    frequencies: Tensor
    box: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.channels = options.samples * 3 * (2 * options.octaves + options.include_input)
        self._ndc_ratios = far_face_ratios(scene) if scene.forward_facing else None
        fractions = torch.linspace(0, 1, options.samples).reshape(1, -1, 1, 1, 1)
        # Constants, not weights: they follow from the options, so they are not saved.
        self.register_buffer("fractions", fractions, persistent=False)
        self.register_buffer("frequencies", 2.0 ** torch.arange(options.octaves)[:, None, None], persistent=False)
        self.register_buffer("box", torch.tensor(scene.box)[:, :, None, None], persistent=False)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) of rays given by two (b, 3, h, w); see ``RayEncoding``."""
        points = self.points(origins, directions).flatten(1, 2)[:, :, None]
        angles = points * self.frequencies
        parts = [angles.sin(), angles.cos()]
        if self.options.include_input:
            parts.append(points)
        return torch.cat(parts, 2).flatten(1, 2)

    def points(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return the points (b, K, 3, h, w) along each ray, scene units or NDC, nearest first.

        With ``span="box"`` all are inside the box. A ray that misses it has its K points in one place: where it
        comes closest to all three pairs of faces at once, moved to the box; for a ray through an edge that is
        where it touches, so the points move continuously when a ray leaves the box.
        """
        if self._ndc_ratios is not None:
            origins, directions = to_ndc(origins, directions, self.scene.near, self._ndc_ratios)
            return _along(origins, directions, self._fractions(origins))
        fractions = self._fractions(origins)
        if self.options.span == "near-far":
            return _along(origins, directions, self.scene.near + (self.scene.far - self.scene.near) * fractions)
        lower, upper = self.box
        entry, exit_ = box_depths(origins, directions, lower, upper)
        depths = entry[:, None] + (exit_ - entry)[:, None] * fractions
        return torch.minimum(torch.maximum(_along(origins, directions, depths), lower), upper)

    def _fractions(self, origins: Tensor) -> Tensor:
        """Return where in the span the points are, in [0, 1]: (1, K, 1, 1, 1), or (b, K, 1, h, w) with jitter."""
        if not (self.training and self.options.jitter):
            return self.fractions
        between = (self.fractions[:, 1:] + self.fractions[:, :-1]) / 2
        lower = torch.cat([self.fractions[:, :1], between], 1)
        upper = torch.cat([between, self.fractions[:, -1:]], 1)
        batch, _, height, width = origins.shape
        noise = torch.rand(batch, self.options.samples, 1, height, width, device=origins.device)
        return lower + (upper - lower) * noise


def box_depths(origins: Tensor, directions: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Return the depths at which rays enter and leave a box (slab method; Kay and Kajiya 1986).

    Args:
        origins: (b, 3, h, w) scene units.
        directions: (b, 3, h, w); components may be zero.
        lower: (3, 1, 1) the box's lower corner.
        upper: (3, 1, 1) the box's upper corner.

    Returns:
        Entry and exit, (b, 1, h, w) each, finite and 0 <= entry <= exit. A ray that starts inside enters at 0. For
        a ray that misses, both are the mean of the last entry into a slab and the first exit from one, or 0 where
        that lies behind its origin. Differentiable.

    """
    small = directions.abs() < LEAST_COMPONENT
    slopes = torch.where(small, LEAST_COMPONENT, directions)
    to_lower, to_upper = (lower - origins) / slopes, (upper - origins) / slopes
    entry = torch.minimum(to_lower, to_upper).amax(1, keepdim=True)
    exit_ = torch.maximum(to_lower, to_upper).amin(1, keepdim=True)
    middle = (entry + exit_) / 2
    return torch.minimum(entry, middle).clamp(min=0), torch.maximum(exit_, middle).clamp(min=0)


def _along(origins: Tensor, directions: Tensor, depths: Tensor) -> Tensor:
    """Return points (b, K, 3, h, w) on rays (b, 3, h, w) at depths (b or 1, K, 1, h or 1, w or 1)."""
    return origins[:, None] + depths * directions[:, None]
