"""Training pixels and the texels behind them: geometry is frozen, so they are looked up once for each photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Views
from nfcore_mobilenerf.rasterizer import Triangles, on_views

#: Texels that are kept in memory at once, 4 bytes each.
_MOST = 1 << 26


@dataclass(frozen=True)
class Pixels:
    """Pixels of images that show a polygon.

    Args:
        texels: (m, 4, layers) int32 at each pixel's samples, nearest first; -1 where there is none.
        colours: (m, 3) of the images.
        alpha: (m,) of the images, NaN where they have none.
        directions: (m, 3) unit, in the world.
        missed: squared error of all other pixels, where only the background is shown.
        total: number of all pixels.

    """

    texels: Tensor
    colours: Tensor
    alpha: Tensor
    directions: Tensor
    missed: float
    total: int

    def __len__(self) -> int:
        return len(self.texels)

    @classmethod
    def together(cls, parts: Sequence[Pixels]) -> Pixels:
        """Return the pixels of all ``parts``."""
        return cls(
            torch.cat([part.texels for part in parts]),
            torch.cat([part.colours for part in parts]),
            torch.cat([part.alpha for part in parts]),
            torch.cat([part.directions for part in parts]),
            sum(part.missed for part in parts),
            sum(part.total for part in parts),
        )


def pixels_of(
    views: Views,
    triangles: Triangles,
    layers: int,
    opaque: Tensor | None,
    background: Tensor,
    share: float,
    generator: torch.Generator,
) -> Pixels:
    """Return the pixels of ``views`` that show ``triangles``, or a ``share`` of them at random.

    Args:
        views: photos, or images of them.
        triangles: the geometry.
        layers: how many texels of each sample, one behind the other.
        opaque: (n,) bool, which texels are there; None: all are.
        background: (3,) RGB.
        share: in [0, 1].
        generator: draws which.

    """
    height, width = views.cameras.height, views.cameras.width
    seeds = torch.randint(2**62, (len(views),), generator=generator).tolist()

    def look(view: int) -> Pixels:
        hit, _ = triangles.samples(views.cameras[view], layers, opaque)
        hit = hit.view(-1, 4, layers)
        ignored = views.ignored(view)
        counted = torch.ones(len(hit), dtype=torch.bool) if ignored is None else ~ignored.flatten()
        if share < 1:
            counted &= torch.rand(len(hit), generator=torch.Generator().manual_seed(seeds[view])) < share
        shown = counted & (hit[..., 0] >= 0).any(1)
        first = view * height * width
        chosen, others = shown.nonzero()[:, 0], (counted & ~shown).nonzero()[:, 0]
        index = chosen + first
        alpha = views.pixel_alpha(index)
        return Pixels(
            hit[chosen],
            views.pixels(index).float(),
            torch.full((len(index),), torch.nan) if alpha is None else alpha.float(),
            F.normalize(views.cameras.pixel_rays(index).directions, dim=1),
            float((views.pixels(others + first).float() - background).square().mean(1).sum()),
            int(counted.sum()),
        )

    return Pixels.together(on_views(look, len(views)))


def share_in_memory(pixels: int, layers: int) -> float:
    """Return which share of so many pixels fits into memory.

    >>> share_in_memory(100 * 200 * 200, 3)
    1.0
    """
    return min(1.0, _MOST / (4 * layers * max(1, pixels)))
