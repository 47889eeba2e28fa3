"""What the shaders compute, in torch, from what an export's files hold: verifies it where there is no browser.

Gradients flow to the codes: see ``importance``.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, Rays
from nfcore.geometry import Domain, spherical_harmonics
from nfcore_webgl.cells import CELL, occupied_cells
from nfcore_webgl.coding import CodedField
from nfcore_webgl.header import Header

#: Rays and samples that are worked on at once.
_RAYS, _SAMPLES = 4096, 1 << 18


@dataclass(frozen=True)
class Samples:
    """The m samples of some rays in occupied voxels, as far as light is left; ray by ray from front to back.

    Args:
        ray: (m,) int64.
        place: (m, 3) in voxels of the grid.
        weight: (m,) what each adds to its ray.

    """

    ray: Tensor
    place: Tensor
    weight: Tensor


class Evaluator:
    """Draws a coded field.

    Args:
        header: all numbers.
        field: the vertices.
        voxels: (x - 1, y - 1, z - 1) bool, the occupied ones.

    Attributes:
        densities: (v + 1, 1) their codes.
        values: (v + 1, c) their codes.

    """

    def __init__(self, header: Header, field: CodedField, voxels: Tensor) -> None:
        self.header = header
        self.domain = Domain.of(header.scene)
        self.voxels, self.cells = voxels, occupied_cells(voxels)
        self.rows = field.rows.contiguous().view(-1)
        self._take(field.codes)
        self.low, self.spacing = torch.tensor(header.grid.low), torch.tensor(header.grid.spacing)
        self.layers = [(torch.tensor(layer.weight), torch.tensor(layer.bias)) for layer in header.network]
        self.background = torch.tensor(header.scene.background)

    def with_codes(self, codes: Tensor) -> Evaluator:
        """Return one that draws other ``codes`` (v + 1, 1 + c), of any type, of the same vertices."""
        other = copy(self)
        other._take(codes)
        return other

    def _take(self, codes: Tensor) -> None:
        # In memory of their own: all samples need densities, few need values.
        self.densities, self.values = codes[:, :1].contiguous(), codes[:, 1:].contiguous()

    @torch.no_grad()
    def images(self, cameras: Cameras) -> Tensor:
        """Return images (n, 3, height, width) in [0, 1]."""
        rays = cameras.rays().flat()
        colours = torch.cat([self.colours(chunk) for chunk in rays.split(_RAYS)])
        shape = (len(cameras), cameras.height, cameras.width, 3)
        return colours.view(shape).permute(0, 3, 1, 2).contiguous()

    def colours(self, rays: Rays) -> Tensor:
        """Return (n, 3) what ``rays`` (n, 3) see."""
        return self.shaded(rays, self.samples(rays))

    def shaded(self, rays: Rays, samples: Samples) -> Tensor:
        """Return (n, 3) what ``rays`` (n, 3) see, whose samples are known."""
        n = len(rays)
        opacity = torch.zeros(n).index_add(0, samples.ray, samples.weight)
        sums = torch.zeros(n, self.header.values)
        shown = (samples.weight > self.header.march.least).nonzero()[:, 0]
        for part in shown.split(_SAMPLES):
            values = self.look_up(samples.place[part], self.values)
            sums.index_add_(0, samples.ray[part], samples.weight[part, None] * values)
        directions = F.normalize(rays.directions, dim=1)
        hidden = torch.cat([sums, spherical_harmonics(directions, self.header.harmonics)[:, 1:]], 1)
        for weight, bias in self.layers[:-1]:
            hidden = F.relu(F.linear(hidden, weight, bias))
        o = opacity[:, None]
        colours = sums[:, :3] + o * F.linear(hidden, *self.layers[-1]) + (1 - o) * self.background
        return colours.clamp(0, 1)

    def samples(self, rays: Rays) -> Samples:
        """Return the samples of ``rays`` (n, 3) in occupied voxels, as far as light is left."""
        march, paths = self.header.march, self.domain.paths(rays)
        near, far = paths.clipped(torch.tensor(march.low), torch.tensor(march.high))
        steps = int(((far - near).clamp_min(0).amax() / march.step).ceil()) if len(rays) else 0
        in_voxels = paths.in_units(self.low, self.spacing)
        distance = near[:, None] + (torch.arange(steps) + 0.5) * march.step
        inside = distance < far[:, None]
        occupied = self._in_voxels(torch.stack(list(in_voxels.along(distance)), -1)) & inside
        ray, step = occupied.nonzero(as_tuple=True)
        at = distance[ray, step][:, None]
        place = torch.cat(list(in_voxels.along(at, ray)), 1)
        parts = [self.look_up(part, self.densities)[:, 0] for part in place.split(_SAMPLES)]
        raw = torch.cat(parts) if parts else torch.zeros(0)
        absorbed = self.density(raw) * march.step
        stretch = paths.stretch(at, ray)
        absorbed = absorbed if stretch is None else absorbed * stretch[:, 0]
        before = _depth_before(absorbed, ray, len(rays))
        left = torch.exp(-before)
        lit = (left >= march.stop).nonzero()[:, 0]
        weight = (left * -torch.expm1(-absorbed.double())).float()
        return Samples(ray[lit], place[lit], weight[lit])

    def density(self, raw: Tensor) -> Tensor:
        """Return the density of shares of the coded range, per unit of the domain."""
        coded = self.header.density
        return coded.scale * F.softplus(coded.gain * (coded.low + raw * (coded.high - coded.low)) + coded.shift)

    def cell_index(self, place: Tensor) -> Tensor:
        """Return (..) int64: linear indices, x slowest, of the macro cells of places (.., 3) in voxels."""
        x, y, z = (self._voxel_of(place) // CELL).unbind(-1)
        return (x * self.cells.shape[1] + y) * self.cells.shape[2] + z

    def look_up(self, place: Tensor, codes: Tensor) -> Tensor:
        """Return (m, c) in [0, 1]: ``codes`` (v + 1, c) at places (m, 3) in voxels, interpolated.

        Gradients are sparse: a ray touches few of millions of vertices.
        """
        shape = self.header.grid.shape
        low = self._voxel_of(place)
        share = (place - low).clamp(0, 1)
        found = torch.zeros(len(place), codes.shape[1])
        for corner in range(8):
            offset = torch.tensor([corner >> axis & 1 for axis in range(3)])
            x, y, z = (low + offset).unbind(1)
            row = self.rows[(x * shape[1] + y) * shape[2] + z]
            weight = torch.where(offset > 0, share, 1 - share).prod(1)[:, None] / 255
            found = found + weight * F.embedding(row, codes, sparse=True)
        return found

    def _in_voxels(self, place: Tensor) -> Tensor:
        """Return (..) bool: which places (.., 3) in voxels are in occupied ones."""
        x, y, z = self._voxel_of(place).unbind(-1)
        return self.voxels[x, y, z]

    def _voxel_of(self, place: Tensor) -> Tensor:
        last = torch.tensor(self.voxels.shape) - 1
        return place.floor().long().clamp_min(0).minimum(last)


def _depth_before(absorbed: Tensor, ray: Tensor, rays: int) -> Tensor:
    """Return (m,) float64: the optical depth in front of each sample on its own ray."""
    total = absorbed.double().cumsum(0)
    before = total - absorbed
    counts = torch.bincount(ray, minlength=rays)
    first = (counts.cumsum(0) - counts).clamp(max=max(0, len(ray) - 1))
    return before - before[first].repeat_interleave(counts) if len(ray) else before
