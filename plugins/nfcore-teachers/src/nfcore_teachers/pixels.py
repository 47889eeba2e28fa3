"""Training pixels: drawn without repetition until all were seen; their rays are made when they are drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore import Rays, Views

SEED_RANGE = 2**62


class PixelBatches:
    """Batches of pixels from posed photos, in an order that is shuffled anew for each pass.

    Holds an order of 4 bytes a pixel next to the photos, and no rays. Its state is two numbers, as an order can
    be drawn again from its seed. Pixels that the photos' masks ignore are never drawn.

    Args:
        views: the photos.
        pixels: (m,) int64, the pixels to draw from, as linear indices into (n, height, width); None for all.
        generator: draws a seed for each pass.
        device: where photos are kept and rays are made.

    Attributes:
        total: number of pixels that are not ignored, drawn or not.

    """

    def __init__(
        self,
        views: Views,
        pixels: Tensor | None,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> None:
        self.views = views.to(device)
        self.total = views.images.shape[:3].numel()
        if views.masks is not None:
            counted = ~views.masks.flatten()
            self.total = int(counted.sum())
            pixels = counted.nonzero()[:, 0] if pixels is None else pixels[counted[pixels]]
        self.pixels = None if pixels is None else pixels.int()
        self.generator = generator
        self._shuffle(self._seed())

    def __len__(self) -> int:
        return self.total if self.pixels is None else len(self.pixels)

    def draw(self, n: int) -> tuple[Rays, Tensor]:
        """Return the next ``n`` pixels, or all if there are fewer: rays (n, 3) and their colours (n, 3)."""
        n = min(n, len(self))
        if self.position + n > len(self):
            self._shuffle(self._seed())
        drawn = self.order[self.position : self.position + n]
        self.position += n
        pixels = (drawn if self.pixels is None else self.pixels[drawn]).long().to(self.views.cameras.poses.device)
        return self.views.cameras.pixel_rays(pixels), self.views.pixels(pixels)

    def state(self) -> dict[str, int]:
        """Return where the batches are; the generator's own state is its owner's to save."""
        return {"seed": self.seed, "position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        """Go on from ``state``."""
        self._shuffle(state["seed"])
        self.position = state["position"]

    def _seed(self) -> int:
        return int(torch.randint(SEED_RANGE, (), generator=self.generator))

    def _shuffle(self, seed: int) -> None:
        self.seed, self.position = seed, 0
        self.order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed), dtype=torch.int32)
