"""NeRF's network: density from the place alone, colour from the place and the direction that it is seen along."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nfcore_teachers.linear import Linear
from nfcore_teachers.positional_encoding import encode_points, points_size

#: Octaves of the directions' encoding.
DIRECTION_OCTAVES = 4
#: Softplus is shifted by one, as in Mip-NeRF's supplement: a young field is thin, and no density is ever dead.
SHIFT = -1.0


class RadianceNetwork(nn.Module):
    """NeRF (Mildenhall et al. 2020), figure 7, with softplus for density as in Mip-NeRF (Barron et al. 2021).

    Args:
        inputs: size of an encoded place.
        depth: hidden layers; the encoded place comes in again halfway, from four layers on.
        width: features in each of them, and twice those of the layer that sees the direction.

    """

    def __init__(self, inputs: int, depth: int, width: int) -> None:
        super().__init__()
        self.skip = depth // 2 if depth >= 4 else depth
        sizes = [inputs] + [width + (inputs if layer == self.skip else 0) for layer in range(1, depth)]
        self.trunk = nn.ModuleList([Linear(size, width) for size in sizes])
        self.density = Linear(width, 1)
        self.bottleneck = Linear(width, width)
        self.view = Linear(width + points_size(DIRECTION_OCTAVES), max(1, width // 2))
        self.colour = Linear(max(1, width // 2), 3)

    def begin(self, generator: torch.Generator) -> None:
        """Forget all that was learned."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.begin(generator)

    def forward(self, places: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return density (n, s) and raw colour (n, s, 3) at encoded places (n, s, inputs).

        ``directions`` (n, 3) are the unit vectors along which the n rays look.
        """
        hidden = self._hidden(places)
        seen = encode_points(directions, DIRECTION_OCTAVES)[:, None].expand(-1, places.shape[1], -1)
        view = F.relu(self.view(torch.cat([self.bottleneck(hidden), seen], -1)))
        return F.softplus(self.density(hidden)[..., 0] + SHIFT), self.colour(view)

    def density_at(self, places: Tensor) -> Tensor:
        """Return density (...) at encoded places (..., inputs)."""
        return F.softplus(self.density(self._hidden(places))[..., 0] + SHIFT)

    def _hidden(self, places: Tensor) -> Tensor:
        hidden = places
        for number, layer in enumerate(self.trunk):
            hidden = F.relu(layer(torch.cat([hidden, places], -1) if number == self.skip else hidden))
        return hidden
