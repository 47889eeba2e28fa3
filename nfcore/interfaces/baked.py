"""A baked field: a deferred radiance field on a grid as plain data, for programs that draw it without its teacher.

SNeRG (Hedman et al. 2021) bakes a radiance field into a sparse voxel grid whose network is evaluated once per
pixel, on what was composited along the ray ("deferred", section 4.1). Everything that drawing needs is in the
record; how a ray is drawn:

1. ``nfcore.geometry.Domain.of(scene).paths(rays)`` maps rays to paths through the domain: straight lines in the
   scene's box or in NDC, bent ones in the contracted world. Distances are in the domain's units.
2. ``paths.clipped(*bounds)`` gives ``near`` and ``far``. Samples are at ``near + (k + 1/2) step``, k = 0, 1, ..,
   as long as that is less than ``far``. Those in a voxel that is not ``occupied`` are skipped.
3. Raw density and values at a sample are trilinear in those of its voxel's eight vertices.
4. A sample absorbs a = 1 - exp(-density(raw) * step * stretch), with ``paths.stretch``; its weight is a times the
   transmittance, the product of (1 - a) over the samples in front of it. The ray ends behind the sample that
   brings the transmittance below ``stop_transmittance``.
5. With opacity o, the sum of weights, and s, the sums of weight times value, the colour is
   s[:3] + o * network(s, harmonics of the ray's unit direction) + (1 - o) * background, clamped to [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore.scene.bounds import Scene, Vector


@dataclass(frozen=True)
class BakedField:
    """A deferred radiance field on a grid over the scene's domain: see ``Teacher.baked``.

    The domain is the scene's box, in scene units; of a forward-facing scene it is NDC and of an unbounded one the
    contracted world, both the cube [-1, 1]^3 of ``nfcore.Space``. Tensors are on the CPU and need no gradient.
    Linear indices have x slowest and z fastest.

    Args:
        scene: its bounds and its background; its kind determines the domain.
        box: lower and upper corner of the grid, in the domain.
        shape: number of vertices along x, y and z; the outer ones are on the box's faces.
        vertices: (v,) int64, sorted linear indices of the stored vertices.
        table: (v + 1, 1 + c) float32, raw density and c >= 3 values, of which the first three are colour. Row 0 is
            that of all vertices that are not stored; row i + 1 that of ``vertices[i]``.
        occupied: (x - 1, y - 1, z - 1) bool, voxels that may hold something; all others are empty.
        bounds: lower and upper corner of the part of the domain in which straight rays (in a box or in NDC) are
            marched: their samples are counted from where they enter it.
        step: distance between samples, in the domain's units.
        density_gain: density = density_scale * softplus(density_gain * raw + density_shift), absorption per unit
            of the domain.
        density_shift: see ``density_gain``.
        density_scale: see ``density_gain``.
        layers: of the network, in order: weights (outputs, inputs) and biases (outputs,), float32, with ReLU after
            all but the last. Inputs are the c sums, then the direction's spherical harmonics of degree 1 and
            higher; outputs are three.
        harmonics_degree: the highest degree of these, 2 or 3; see ``nfcore.geometry.spherical_harmonics``.
        stop_transmittance: a ray ends where less than this share of the light is left.

    """

    scene: Scene
    box: tuple[Vector, Vector]
    shape: tuple[int, int, int]
    vertices: Tensor
    table: Tensor
    occupied: Tensor
    bounds: tuple[Vector, Vector]
    step: float
    density_gain: float
    density_shift: float
    density_scale: float
    layers: tuple[tuple[Tensor, Tensor], ...]
    harmonics_degree: int = 2
    stop_transmittance: float = 1e-4

    @property
    def values(self) -> int:
        """Number of values of a vertex next to its raw density."""
        return self.table.shape[1] - 1

    @property
    def spacing(self) -> Vector:
        """Distance between neighbouring vertices along x, y and z, in the domain's units."""
        x, y, z = ((high - low) / (n - 1) for low, high, n in zip(*self.box, self.shape, strict=True))
        return x, y, z

    def density(self, raw: Tensor) -> Tensor:
        """Return the density of raw values, absorption per unit of the domain."""
        return self.density_scale * F.softplus(self.density_gain * raw + self.density_shift)

    def volume(self) -> Tensor:
        """Return (x, y, z, 1 + c) float32: raw density and values at all vertices."""
        dense = self.table[0].repeat(self.shape[0] * self.shape[1] * self.shape[2], 1)
        dense[self.vertices] = self.table[1:]
        return dense.reshape(*self.shape, -1)

    def network(self, sums: Tensor, harmonics: Tensor) -> Tensor:
        """Return the view-dependent colour (n, 3) of rays for their sums (n, c) and harmonics (n, h)."""
        hidden = torch.cat([sums, harmonics], 1)
        for weight, bias in self.layers[:-1]:
            hidden = F.relu(F.linear(hidden, weight, bias))
        return F.linear(hidden, *self.layers[-1])
