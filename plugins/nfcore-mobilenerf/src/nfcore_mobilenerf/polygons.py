"""Polygons with features: what is fitted, drawn and exported."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import UserError
from nfcore_mobilenerf.mesh import Quads

#: Features of a texel; widths of the network's hidden layers (MobileNeRF, section 3).
FEATURES, HIDDEN = 8, 16
#: Side of a texture that all but the oldest phones have room for, in texels.
TEXTURE_SIDE = 4096

#: Weights (outputs, inputs) and biases (outputs,) of each layer.
Layers = tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class Polygons:
    """Quads whose texels are there or not, each with features from which a network computes colour.

    Args:
        quads: the geometry; each quad has ``texels`` x ``texels`` texels of its own, row by row.
        texels: along a quad's side.
        features: (q texels^2, 8) uint8, from 0 to 1 in steps of 1/255.
        opaque: (q texels^2,) bool, which texels are there.
        layers: of the network: features and the ray's unit direction in the world, 11 numbers, to RGB; ReLU after
            the hidden layers, a sigmoid after the last.

    """

    quads: Quads
    texels: int
    features: Tensor
    opaque: Tensor
    layers: Layers

    def chosen(self, index: Tensor) -> Polygons:
        """Return the quads at ``index`` (m,) with their texels."""
        own = texels_of(index, self.texels)
        quads = self.quads.chosen(index)
        return replace(self, quads=quads, features=self.features[own], opaque=self.opaque[own])


def texels_of(quads: Tensor, texels: int) -> Tensor:
    """Return the numbers (m texels^2,) of the texels of quads (m,).

    >>> texels_of(torch.tensor([2]), 2)
    tensor([ 8,  9, 10, 11])
    """
    return (quads[:, None] * texels**2 + torch.arange(texels**2, device=quads.device)).flatten()


def colour(layers: Layers, features: Tensor, directions: Tensor) -> Tensor:
    """Return RGB (n, 3) in [0, 1] for features (n, 8) in [0, 1] and unit directions (n, 3)."""
    hidden = torch.cat([features, directions], 1)
    for weight, bias in layers[:-1]:
        hidden = F.relu(F.linear(hidden, weight, bias))
    return torch.sigmoid(F.linear(hidden, *layers[-1]))


def check_size(quads: int, texels: int, cells: int) -> None:
    """Check that the texels of so many quads, from a grid of ``cells``, fit into a texture.

    Raises:
        UserError: they don't; names what does.

    """
    side = math.ceil(math.sqrt(quads)) * texels
    if side > TEXTURE_SIDE:
        fewer = math.floor(TEXTURE_SIDE / math.ceil(math.sqrt(quads)))
        # Quads cover surfaces: their number grows with the square of the grid's.
        coarser = math.floor(cells * TEXTURE_SIDE / side)
        raise UserError(
            f"{quads} polygons of {texels} x {texels} texels need {side} texels along a texture's side, and "
            f"phones have {TEXTURE_SIDE}: fit with texels = {max(fewer, 1)} or cells = {coarser}; now "
            f"{texels} and {cells}"
        )
