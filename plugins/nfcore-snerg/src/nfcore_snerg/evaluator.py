"""The official viewer's arithmetic in torch, on what the official files hold: verifies them without a browser.

It is the fragment shader's, in float32: what a graphics card rounds otherwise is a filter's fraction, where it has
8 bits, and the colour that it writes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Cameras, Rays
from nfcore.geometry import interpolate
from nfcore_snerg.compositing import composite, corners
from nfcore_snerg.files import EMPTY, Bytes, SceneParams
from nfcore_snerg.lattice import Samples, sample
from nfcore_snerg.network import LEAST_OPACITY, encode
from nfcore_snerg.voxels import LEVELS

#: Distance of the viewer's near plane, in units of its world.
NEAR = 0.33
#: Inputs of the network below this are skipped.
_LEAST_INPUT = 0.1 / LEVELS
#: Texels along the side of one of the small image of opacities, which is read first.
_SMALL = 4
_CHUNK = 1 << 14


class Evaluator:
    """Draws the scene of some files.

    Args:
        parameters: ``scene_params.json``.
        atlas: (W, H, D, 8) opacity, colour and features.
        indices: (x, y, z, 3) places of blocks.

    """

    def __init__(self, parameters: SceneParams, atlas: Bytes, indices: Bytes) -> None:
        self.grid, self.frame = parameters.grid, parameters.frame
        self.rotation = torch.tensor(parameters.worldspace)[:3, :3]
        size, (x, y, z) = self.grid.block + 2, (side // (self.grid.block + 2) for side in atlas.shape[:3])
        cube = torch.from_numpy(atlas).view(x, size, y, size, z, size, 8).permute(4, 2, 0, 1, 3, 5, 6)
        self.blocks = cube.reshape(-1, size, size, size, 8)
        place = torch.from_numpy(indices).int()
        slots = (place[..., 2] * y + place[..., 1]) * x + place[..., 0]
        self.slots = torch.where(place[..., 0] == EMPTY, -1, slots)
        self.small = _smaller(_smaller(self.blocks[..., 0].float()))
        self.texels = self.blocks.reshape(-1, 8).float() / LEVELS
        self.weights = [
            torch.tensor(w) for w in (parameters.weights_0, parameters.weights_1, parameters.weights_2)
        ]
        # The viewer writes biases into its shader's text, with seven digits.
        self.biases = [
            torch.tensor([round(number, 7) for number in bias])
            for bias in (parameters.bias_0, parameters.bias_1, parameters.bias_2)
        ]

    @torch.no_grad()
    def images(self, cameras: Cameras) -> Tensor:
        """Return images (n, 3, height, width) in [0, 1]."""
        parts = [self.colours(chunk) for chunk in cameras.rays().flat().split(_CHUNK)]
        shape = (len(cameras), cameras.height, cameras.width, 3)
        return torch.cat(parts).view(shape).permute(0, 3, 1, 2).contiguous()

    def colours(self, rays: Rays) -> Tensor:
        """Return (n, 3) what ``rays`` (n, 3) of cameras see; their directions have a depth of 1."""
        origins, directions = self.frame.rays(rays)
        # The viewer's rays start on its near plane, and their samples as far again behind it.
        started = origins + NEAR * rays.directions.norm(dim=1, keepdim=True) * directions
        near = torch.full_like(started[:, 0], NEAR / self.grid.voxel)
        samples = sample(self.grid, self.slots, self.grid.rays(started), directions, near)
        sums, _ = composite(self.values(samples), samples.ray, len(rays))
        opacity = sums[:, :1]
        colour = sums[:, 1:4] + (1 - opacity)
        own = self.network(colour, sums[:, 4:], directions @ self.rotation.T)
        return (colour + torch.where(opacity >= LEAST_OPACITY, own, 0)).clamp(0, 1)

    def values(self, samples: Samples) -> Tensor:
        """Return (m, 8) what is filtered at samples; 0 where the small image of opacities is 0."""
        texels, weights = corners(samples, self.grid.block + 2)
        x, y, z = (samples.place / _SMALL).long().unbind(1)
        full = self.small[samples.slot, x, y, z] > 0
        return interpolate(self.texels, texels, weights) * full[:, None]

    def network(self, colour: Tensor, features: Tensor, directions: Tensor) -> Tensor:
        """Return (n, 3), the sigmoid of the network's outputs."""
        hidden = torch.cat([encode(directions), colour, features], 1)
        hidden = torch.where(hidden.abs() < _LEAST_INPUT, 0, hidden)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = F.relu(hidden @ weight + bias)
        return (hidden @ self.weights[-1] + self.biases[-1]).sigmoid()


def _smaller(opacities: Tensor) -> Tensor:
    """Return opacities (n, x, y, z) in 8 bits at half the size, as a mipmap has them: means, rounded."""
    return (F.avg_pool3d(opacities[:, None], 2)[:, 0] + 0.5).floor()
