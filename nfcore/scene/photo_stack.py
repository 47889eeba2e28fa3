"""Photos of one size that are decoded when they are first needed, and stored as 8-bit RGB or RGBA."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.errors import UserError
from nfcore.io.mapped import mapped_bytes

#: Which photos: one, or several along the first axis.
Index = int | slice | Sequence[int] | Tensor

# More bytes than this are stored in a memory-mapped temporary file, whose pages the system may drop.
_IN_MEMORY = 1 << 30
# Largest share of the free space of a disk that is taken for them.
_MOST_OF_DISK = 0.9
#: Threads that decode: each holds one photo in full.
_DECODERS = min(4, os.cpu_count() or 1)
#: Pixels along the longer side of a photo's preview, if the stack has no reader for previews.
_PREVIEW = 128


class PhotoStack:
    """n photos that are indexed along the first axis like a float32 RGB tensor (n, height, width, 3).

    A photo is decoded when it is first needed, several in parallel. Decoded photos are stored as 8-bit numbers, a
    quarter of the size of float32; beyond a GiB in a temporary file in the folder that ``TMPDIR`` names.
    Thread-safe.

    Args:
        read: decodes photo i at the required size: (height, width, channels) uint8, RGB or straight RGBA.
        shape: n, height, width, and 3 or 4 channels.
        background: RGB in [0, 1] that photos with alpha are composited on.
        preview: decodes photo i at a small size, for what needs no detail; by default it is scaled down.

    Example:
        >>> red = torch.tensor([255, 0, 0], dtype=torch.uint8)
        >>> photos = PhotoStack(lambda i: red.expand(4, 6, 3), (10, 4, 6, 3))
        >>> photos.shape, photos[2][0, 0]
        (torch.Size([10, 4, 6, 3]), tensor([1., 0., 0.]))

    """

    dtype = torch.float32

    def __init__(
        self,
        read: Callable[[int], Tensor],
        shape: tuple[int, int, int, int],
        background: tuple[float, float, float] = (1.0, 1.0, 1.0),
        preview: Callable[[int], Tensor] | None = None,
    ) -> None:
        self._read, self._background, self._preview = read, torch.tensor(background), preview
        self._shape = torch.Size(shape)
        self._kept: Tensor | None = None
        self._decoded = [False] * shape[0]
        self._locks = [Lock() for _ in range(shape[0])]
        self._lock = Lock()

    @property
    def shape(self) -> torch.Size:
        """(n, height, width, 3)."""
        return torch.Size([*self._shape[:3], 3])

    @property
    def device(self) -> torch.device:
        """The device that stores the photos."""
        return torch.device("cpu") if self._kept is None else self._kept.device

    @property
    def alpha(self) -> AlphaStack | None:
        """The photos' alpha, or None where they have none."""
        return AlphaStack(self) if self._shape[3] == 4 else None

    def __len__(self) -> int:
        return self._shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        n, height, width, _ = self.shape
        return f"PhotoStack({n} of {height}x{width}, {sum(self._decoded)} decoded)"

    def __getitem__(self, index: Index) -> Tensor:
        return self._composited(self.decoded(index))

    def pixels(self, index: Tensor) -> Tensor:
        """Return the colours (m, 3) of the pixels with the linear indices (m,) into (n, height, width)."""
        return self._composited(self.decoded_pixels(index))

    def decoded_pixels(self, index: Tensor) -> Tensor:
        """Return pixels as they are kept, (m, channels) uint8, for linear indices (m,) into (n, height, width)."""
        if not all(self._decoded):
            per_photo = self.shape[1] * self.shape[2]
            self._decode(index.div(per_photo, rounding_mode="floor").unique().tolist())
        return self._bytes.flatten(0, 2)[index.to(self.device)]

    def chosen(self, indices: Sequence[int]) -> PhotoStack:
        """Return the photos at ``indices``, in that order, without decoding any."""
        shape = (len(indices), *self._shape[1:])
        return PhotoStack(
            lambda i: self.decoded(indices[i]),
            shape,
            tuple(self._background.tolist()),
            lambda i: self._small(indices[i]),
        )

    def previews(self) -> Iterator[Tensor]:
        """Yield each photo at a small size, (h, w, 3) float32 in [0, 1], without decoding it in full if possible.

        >>> photos = PhotoStack(lambda i: torch.zeros(400, 600, 3, dtype=torch.uint8), (2, 400, 600, 3))
        >>> [photo.shape for photo in photos.previews()]
        [torch.Size([100, 150, 3]), torch.Size([100, 150, 3])]
        """
        yield from map(self._composited, self.decoded_previews())

    def decoded_previews(self) -> Iterator[Tensor]:
        """Yield each photo at a small size as it is decoded, (h, w, channels) uint8."""
        with ThreadPoolExecutor(_DECODERS) as pool:
            yield from pool.map(self._small, range(len(self)))

    def _small(self, index: int) -> Tensor:
        """Return one photo at a small size, (h, w, channels) uint8."""
        if self._preview is not None:
            return self._preview(index)
        photo = self._bytes[index] if self._decoded[index] else self._read(index)  # not kept: it may not be needed
        factor = max(1, max(photo.shape[:2]) // _PREVIEW)
        small = F.avg_pool2d(photo.permute(2, 0, 1).float(), factor, ceil_mode=True)
        return small.round().to(torch.uint8).permute(1, 2, 0)

    def to(self, device: torch.device | str) -> PhotoStack:
        """Decode all photos and return them on ``device``, as 8-bit numbers."""
        if self.device == torch.device(device):
            return self
        moved = object.__new__(PhotoStack)
        moved.__dict__ |= self.__dict__ | {"_kept": self.decoded(slice(None)).to(device)}
        moved._background, moved._decoded = self._background.to(device), [True] * len(self)
        return moved

    def decoded(self, index: Index) -> Tensor:
        """Return photos as they are stored: (height, width, channels) or (k, height, width, channels) uint8."""
        if isinstance(index, int):
            self._decode([index])
        elif isinstance(index, slice):
            self._decode(range(*index.indices(len(self))))
        else:
            self._decode(torch.arange(len(self))[torch.as_tensor(index).cpu()].tolist())
        return self._bytes[index]

    @property
    def _bytes(self) -> Tensor:
        """The memory of the decoded photos: nothing is allocated for what only needs previews."""
        with self._lock:
            if self._kept is None:
                self._kept = _allocate(self._shape)
            return self._kept

    def _decode(self, indices: Sequence[int]) -> None:
        missing = sorted({index % len(self) for index in indices if not self._decoded[index]})
        if len(missing) < 2:
            for index in missing:
                self._decode_one(index)
        else:
            with ThreadPoolExecutor(_DECODERS) as pool:
                list(pool.map(self._decode_one, missing))

    def _decode_one(self, index: int) -> None:
        with self._locks[index]:
            if not self._decoded[index]:
                self._bytes[index] = self._read(index)
                self._decoded[index] = True

    def _composited(self, pixels: Tensor) -> Tensor:
        colours = pixels[..., :3].float() / 255
        if pixels.shape[-1] == 4:
            colours += (1 - pixels[..., 3:].float() / 255) * (self._background - colours)
        return colours


class ChannelStack(ABC):
    """One channel of a `PhotoStack`, indexed along the first axis like a tensor (n, height, width)."""

    channel: int

    def __init__(self, photos: PhotoStack) -> None:
        self._photos = photos

    @staticmethod
    @abstractmethod
    def _values(stored: Tensor) -> Tensor:
        """Return the values of ``stored`` bytes."""

    @property
    def shape(self) -> torch.Size:
        """(n, height, width)."""
        return self._photos.shape[:3]

    @property
    def device(self) -> torch.device:
        """The device that stores the photos."""
        return self._photos.device

    def __len__(self) -> int:
        return len(self._photos)

    def __iter__(self) -> Iterator[Tensor]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: Index) -> Tensor:
        return self._values(self._photos.decoded(index)[..., self.channel])

    def pixels(self, index: Tensor) -> Tensor:
        """Return the values (m,) of the pixels with the linear indices (m,) into (n, height, width)."""
        return self._values(self._photos.decoded_pixels(index)[:, self.channel])

    def to(self, device: torch.device | str) -> Self:
        """Decode all photos and return the channel on ``device``."""
        return self._of(self._photos.to(device))

    def _of(self, photos: PhotoStack) -> Self:
        channel = object.__new__(type(self))
        channel._photos = photos
        return channel


class AlphaStack(ChannelStack):
    """The alpha of a `PhotoStack`, indexed like a float32 tensor (n, height, width) in [0, 1]."""

    dtype, channel = torch.float32, 3

    @staticmethod
    def _values(stored: Tensor) -> Tensor:
        return stored.float() / 255

    def previews(self) -> Iterator[Tensor]:
        """Yield the alpha of each photo at a small size, (h, w) float32 in [0, 1]."""
        return (self._values(small[..., self.channel]) for small in self._photos.decoded_previews())


def _allocate(shape: torch.Size) -> Tensor:
    """Return uninitialised memory for the photos: the system allocates it when it is written to."""
    size = math.prod(shape)
    if size <= _IN_MEMORY:
        return torch.empty(shape, dtype=torch.uint8)
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    try:
        if size > free * _MOST_OF_DISK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return mapped_bytes(size, folder).view(shape)
    except OSError as error:
        raise UserError(
            f"{shape[0]} photos of {shape[2]}x{shape[1]} pixels take {size / 1e9:.1f} GB, and {folder} has "
            f"{free / 1e9:.1f} GB ({error.strerror}): set a smaller image_size, "
            "or TMPDIR to a folder with more space"
        ) from None
