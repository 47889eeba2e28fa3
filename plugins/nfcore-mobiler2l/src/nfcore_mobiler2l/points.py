"""The K-point encoding: points along each ray, each through a positional encoding (R2L; MobileR2L, section 3)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

import nfcore
from nfcore import RayEncoding, Scene, Space


class Points(RayEncoding):
    """K points along each ray as one vector (R2L, section 3), each coordinate with L octaves of sin and cos.

    The frequencies are 2^l for l = 0 .. L-1, without the factor pi of NeRF's equation 4, as in the reference code:
    a coordinate x gives sin(x), sin(2 x), .. and its longest period is 2 pi scene units.

    Channels are point-major: point 1 x, point 1 y, point 1 z, point 2 x, ..; for each such coordinate L sines, L
    cosines and, with ``include_input``, the coordinate itself. Holds no weights and needs no preparation.

    With ``span="box"`` the points are evenly spaced in the scene's bounded space, with coordinates in its cube
    (``nfcore.Space``), whatever the scene's unit; with ``"near-far"`` the coordinates are the world's. A
    forward-facing scene is always warped to NDC, t = 0 .. 1 from the near plane to infinity.

    Args:
        options: the points and their encoding.
        scene: the bounds of the scene.

    Raises:
        UserError: the scene is forward-facing, but not along -z of the world.

    """

    class Options(nfcore.Options):
        """Options of the K-point encoding."""

        samples: int = Field(
            8, ge=2, le=1024, description="Points per ray, K, from one end of the span to the other"
        )
        octaves: int = Field(6, ge=1, le=16, description="Octaves of the positional encoding, L")
        span: Literal["near-far", "box"] = Field(
            "near-far",
            description="Span of the points: depths from the scene's near to far (the paper), or the ray's "
            "segment in the scene's bounded space, scaled to [-1, 1]: from its entry into the box to its exit, or "
            "to far if the scene is unbounded",
        )
        jitter: bool = Field(True, description="While training, move each point at random within its interval")
        include_input: bool = Field(
            True, description="Return the coordinates themselves in addition to their sin and cos"
        )

    options: Options
    fractions: Tensor
    frequencies: Tensor

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.channels = options.samples * 3 * (2 * options.octaves + options.include_input)
        self.space = Space.of(scene)
        self._in_space = options.span == "box" or scene.forward_facing
        fractions = torch.linspace(0, 1, options.samples).reshape(1, -1, 1, 1)
        # Constants, derived from the options, so they are not saved.
        self.register_buffer("fractions", fractions, persistent=False)
        self.register_buffer("frequencies", 2.0 ** torch.arange(options.octaves)[:, None, None], persistent=False)

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) of rays given by two (b, 3, h, w); see ``RayEncoding``."""
        points = self.points(origins, directions).flatten(1, 2)[:, :, None]
        return _octaves(points, self.frequencies, self.options.include_input, dim=2).flatten(1, 2)

    def halves(self) -> tuple[nn.Module, nn.Module]:
        """Return the points, and the positional encoding of each of their coordinates; see ``RayEncoding``."""
        return _Coordinates(self), _Octaves(self.frequencies, self.options.include_input)

    def points(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return the points (b, K, 3, h, w) along each ray, nearest first, in scene units or in the cube.

        A ray that misses the box has its K points at one position, where it is closest to all three pairs of faces
        at once, moved to the cube's face; so the points move continuously when a ray leaves the box.
        """
        return torch.stack(self.coordinates(origins, directions), 2)

    def coordinates(self, origins: Tensor, directions: Tensor) -> list[Tensor]:
        """Return x, y and z, (b, K, h, w) each, of the points along each ray; see ``points``."""
        fractions = self._fractions(origins)
        if self._in_space:
            xyz = self.space.coordinates(origins, directions, fractions, dim=1)
            return xyz if self.scene.forward_facing else [x.clamp(-1, 1) for x in xyz]
        depths = self.scene.near + (self.scene.far - self.scene.near) * fractions
        pairs = zip(torch.chunk(origins, 3, 1), torch.chunk(directions, 3, 1), strict=True)
        return [start + depths * move for start, move in pairs]

    def _fractions(self, origins: Tensor) -> Tensor:
        """Return the points' positions in the span, in [0, 1]: (1, K, 1, 1), or (b, K, h, w) with jitter."""
        if not (self.training and self.options.jitter):
            return self.fractions
        between = (self.fractions[:, 1:] + self.fractions[:, :-1]) / 2
        lower = torch.cat([self.fractions[:, :1], between], 1)
        upper = torch.cat([between, self.fractions[:, -1:]], 1)
        batch, _, height, width = origins.shape
        noise = torch.rand(batch, self.options.samples, height, width, device=origins.device)
        return lower + (upper - lower) * noise


class _Coordinates(nn.Module):
    """Rays, two (b, 3, h, w), to the coordinates (b, K * 3, h, w) of their points, in tensors of rank four."""

    def __init__(self, encoding: Points) -> None:
        super().__init__()
        self.encoding = encoding

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        xyz = (
            torch.chunk(x, self.encoding.options.samples, 1)
            for x in self.encoding.coordinates(origins, directions)
        )
        return torch.cat([x for point in zip(*xyz, strict=True) for x in point], 1)


class _Octaves(nn.Module):
    """Coordinates (b, 1, p, q) to their positional encoding (b, m, p, q)."""

    frequencies: Tensor

    def __init__(self, frequencies: Tensor, include_input: bool) -> None:
        super().__init__()
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.include_input = include_input

    def forward(self, coordinates: Tensor) -> Tensor:
        return _octaves(coordinates, self.frequencies, self.include_input, dim=1)


def _octaves(coordinates: Tensor, frequencies: Tensor, include_input: bool, dim: int) -> Tensor:
    """Return L sines, L cosines and optionally the coordinate itself, along an axis ``dim`` of length 1."""
    angles = coordinates * frequencies
    parts = [angles.sin(), angles.cos()]
    return torch.cat([*parts, coordinates] if include_input else parts, dim)
