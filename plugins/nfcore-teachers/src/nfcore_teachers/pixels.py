"""Training pixels: drawn without repetition until all were seen; their rays are made when they are drawn."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Rays, Views
from nfcore.kernels import in_parts
from nfcore.runtime import require_memory

SEED_RANGE, LARGEST_INT32 = 2**62, 2**31 - 1
#: Bytes of memory that a training pixel takes at most while the pixels' order is made.
ORDER_BYTES = 12
#: Pixels that are read at once, for some batches: small tensors take as long as large ones.
DRAWN_AHEAD = 1 << 15


class Pixels(NamedTuple):
    """Some pixels of photos.

    Args:
        rays: (n, 3) through their centres.
        colours: (n, 3) RGB in [0, 1].
        photos: (n,) int64, the photo that each is of.
        alpha: (n,) in [0, 1], or None where the photos have none.

    """

    rays: Rays
    colours: Tensor
    photos: Tensor
    alpha: Tensor | None

    def part(self, start: int, n: int) -> Pixels:
        """Return ``n`` of them, from ``start`` on."""
        some = slice(start, start + n)
        alpha = None if self.alpha is None else self.alpha[some]
        return Pixels(self.rays[some], self.colours[some], self.photos[some], alpha)

    def opaque(self) -> Pixels:
        """Return the same pixels with an alpha of 1."""
        return self._replace(alpha=self.colours.new_ones(len(self.colours)))

    @classmethod
    def joined(cls, parts: list[Pixels]) -> Pixels:
        """Return the pixels of all ``parts``, in order."""
        if len(parts) == 1:
            return parts[0]
        rays = [part.rays for part in parts]
        origins, directions = torch.cat([ray.origins for ray in rays]), torch.cat([ray.directions for ray in rays])
        joined = Rays(origins, directions, _joined([ray.footprint for ray in rays]))
        colours, photos = (torch.cat([getattr(part, name) for part in parts]) for name in ("colours", "photos"))
        return cls(joined, colours, photos, _joined([part.alpha for part in parts]))


class PixelBatches:
    """Batches of pixels from posed photos, in an order that is shuffled again for each pass.

    Holds an order of 4 bytes a pixel next to the photos, and no rays. Its state is two numbers, as an order can
    be drawn again from its seed. Pixels that the photos' masks ignore are never drawn.

    Args:
        views: the photos.
        pixels: (m,) int64, the pixels to draw from, as linear indices into (n, height, width); None for all.
        generator: draws a seed for each pass.
        device: where photos are kept and rays are made.
        block: pixels are drawn in squares of so many along each side: rays near each other look the same values
            up. At a border some are drawn twice.
        threads: so many read them.

    Attributes:
        total: number of pixels that are not ignored, drawn or not.

    """

    ahead: Pixels | None
    ahead_from: int

    def __init__(
        self,
        views: Views,
        pixels: Tensor | None,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
        block: int = 1,
        threads: int = 1,
    ) -> None:
        self.threads = threads
        self.total = views.images.shape[:3].numel()
        what = f"the order of {self.total / 1e6:.1f} million training pixels"
        require_memory(ORDER_BYTES * self.total, torch.device("cpu"), what, "set a smaller image_size")
        self.views = views.to(device)
        self.counted = None if self.views.masks is None else ~self.views.masks[:].flatten()
        if self.counted is not None:
            self.total = int(self.counted.sum())
            pixels = self.counted.nonzero()[:, 0] if pixels is None else pixels[self.counted[pixels]]
        self.block = block
        self.firsts = (
            self._blocks_of(pixels) if block > 1 else None if pixels is None else pixels.to(self._numbers)
        )
        self.generator = generator
        self._shuffle(self._seed())

    def __len__(self) -> int:
        """About how many pixels there are to draw."""
        return self._blocks * self.block**2

    @property
    def _numbers(self) -> torch.dtype:
        """The type of pixels' linear indices: as small as it can be."""
        return torch.int32 if self.views.images.shape[:3].numel() <= LARGEST_INT32 else torch.int64

    @property
    def _blocks(self) -> int:
        return self.total if self.firsts is None else len(self.firsts)

    def draw(self, n: int) -> Pixels:
        """Return the next ``n`` pixels, or all if there are fewer.

        With blocks, as many as fill whole ones, less those that are ignored.
        """
        n = min(max(1, n // self.block**2), self._blocks)
        if self.position + n > self._blocks:
            self._shuffle(self._seed())
        start = self.position - self.ahead_from
        self.position += n
        if self.counted is not None:  # some pixels of a block may be ignored
            return self._pixels(self.position - n, n)
        if self.ahead is None or (start + n) * self.block**2 > len(self.ahead.rays):
            self.ahead_from, start = self.position - n, 0
            self.ahead = self._pixels(self.ahead_from, max(n, DRAWN_AHEAD // self.block**2))
        return self.ahead.part(start * self.block**2, n * self.block**2)

    def _pixels(self, position: int, n: int) -> Pixels:
        """Return the pixels of ``n`` blocks, or of all that are left, from ``position`` of the order on."""
        drawn = self.order[position : position + n]
        drawn = drawn.long() if self.firsts is None else self.firsts[drawn].long()
        pixels = drawn if self.block == 1 else self._pixels_of(drawn)
        parts = pixels.to(self.views.cameras.poses.device).tensor_split(self.threads)
        return Pixels.joined(in_parts(lambda part: self._read(parts[part]), self.threads))

    def _read(self, pixels: Tensor) -> Pixels:
        rays = self.views.cameras.pixel_rays(pixels)
        photos = pixels.div(self.views.images.shape[1:3].numel(), rounding_mode="floor")
        return Pixels(rays, self.views.pixels(pixels), photos, self.views.pixel_alpha(pixels))

    def state(self) -> dict[str, int]:
        """Return where the batches are; the generator's own state is its owner's to save."""
        return {"seed": self.seed, "position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        """Resume from ``state``."""
        self._shuffle(state["seed"])
        self.position = state["position"]

    def _blocks_of(self, pixels: Tensor | None) -> Tensor:
        """Return (k,) int32: the first pixel of each block that one of ``pixels`` is in, in rising order."""
        n, height, width = self.views.images.shape[:3]
        wanted = torch.full((n, height, width), pixels is None)
        if pixels is not None:
            wanted.view(-1)[pixels] = True
        margin = (0, -width % self.block, 0, -height % self.block)
        squares = F.pad(wanted, margin).unfold(1, self.block, self.block).unfold(2, self.block, self.block)
        view, y, x = squares.flatten(3).any(3).nonzero(as_tuple=True)
        return ((view * height + y * self.block) * width + x * self.block).to(self._numbers)

    def _pixels_of(self, firsts: Tensor) -> Tensor:
        """Return the pixels of blocks with these first ones, one block after the other."""
        _, height, width = self.views.images.shape[:3]
        y, x = firsts.div(width, rounding_mode="floor") % height, firsts % width
        within = torch.arange(self.block)
        down = torch.minimum(within, height - 1 - y[:, None])[:, :, None] * width
        across = torch.minimum(within, width - 1 - x[:, None])[:, None, :]
        pixels = (firsts[:, None, None] + down + across).flatten()
        return pixels if self.counted is None else pixels[self.counted[pixels]]

    def _seed(self) -> int:
        return int(torch.randint(SEED_RANGE, (), generator=self.generator))

    def _shuffle(self, seed: int) -> None:
        self.seed, self.position = seed, 0
        self.ahead, self.ahead_from = None, 0
        self.order = torch.randperm(
            self._blocks, generator=torch.Generator().manual_seed(seed), dtype=self._numbers
        )


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    tensors = [part for part in parts if part is not None]
    return torch.cat(tensors) if tensors else None
