"""Training pixels: drawn without repetition, in squares, from those whose rays meet something."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import Rays, Views

_SEED_RANGE = 2**62
#: Side of the squares: rays near each other look the same rows up.
_SQUARE = 2


@dataclass(frozen=True)
class Pixels:
    """Some pixels of photos.

    Args:
        rays: (n, 3) through their centres.
        colours: (n, 3) RGB in [0, 1].
        alpha: (n,) in [0, 1], or None where the photos have none.

    """

    rays: Rays
    colours: Tensor
    alpha: Tensor | None


class PixelBatches:
    """Batches of pixels, in an order that is shuffled again for each pass.

    Args:
        views: the photos, on the CPU.
        wanted: (n, height, width) bool, the pixels to draw from.
        generator: draws a seed for each pass.

    Attributes:
        share: of all pixels that are not ignored.

    """

    def __init__(self, views: Views, wanted: Tensor, generator: torch.Generator) -> None:
        self.views, self.generator = views, generator
        self.wanted = wanted.clone().view(-1)
        if views.masks is not None:
            self.wanted &= ~views.masks[:].flatten()
        _, height, width = wanted.shape
        self.width, per_view = width, height * width
        pixels = self.wanted.nonzero()[:, 0]
        self.count, self.share = len(pixels), len(pixels) / max(1, len(views.counted()))
        view, y, x = pixels // per_view, pixels % per_view // width, pixels % width
        self.firsts = (view * per_view + y // _SQUARE * _SQUARE * width + x // _SQUARE * _SQUARE).unique()
        self.last = torch.tensor([height - 1, width - 1])
        self._shuffle(self._seed())

    def __len__(self) -> int:
        """How many pixels there are to draw."""
        return self.count

    def draw(self, n: int) -> Pixels:
        """Return about ``n`` pixels: the next squares."""
        squares = min(max(1, n // _SQUARE**2), len(self.firsts))
        if self.position + squares > len(self.firsts):
            self._shuffle(self._seed())
        firsts = self.firsts[self.order[self.position : self.position + squares]]
        self.position += squares
        height, width = (int(side) + 1 for side in self.last)
        y, x = firsts // width % height, firsts % width
        parts = [
            firsts[(y + down < height) & (x + across < width)] + down * width + across
            for down in range(_SQUARE)
            for across in range(_SQUARE)
        ]
        pixels = torch.cat(parts).sort()[0]
        return self.take(pixels[self.wanted[pixels]])

    def take(self, pixels: Tensor) -> Pixels:
        """Return these ``pixels`` (m,) int64."""
        views = self.views
        return Pixels(views.cameras.pixel_rays(pixels), views.pixels(pixels), views.pixel_alpha(pixels))

    def state(self) -> dict[str, int]:
        """Return where the batches are; the generator's own state is its owner's to save."""
        return {"seed": self.seed, "position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        """Resume from ``state``."""
        self._shuffle(state["seed"])
        self.position = state["position"]

    def _seed(self) -> int:
        return int(torch.randint(_SEED_RANGE, (), generator=self.generator))

    def _shuffle(self, seed: int) -> None:
        self.seed, self.position = seed, 0
        self.order = torch.randperm(len(self.firsts), generator=torch.Generator().manual_seed(seed))
