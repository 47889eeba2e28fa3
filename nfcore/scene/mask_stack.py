"""Masks of photos that are decoded when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from nfcore.scene.photo_stack import Index, PhotoStack


class MaskStack:
    """n masks that are indexed along the first axis like a bool tensor (n, height, width).

    They are stored as a `PhotoStack` stores photos: a byte a pixel, beyond a GiB in a temporary file.

    Args:
        read: decodes mask i: (height, width) bool.
        shape: n, height, width.

    Example:
        >>> masks = MaskStack(lambda i: torch.ones(4, 6, dtype=torch.bool), (10, 4, 6))
        >>> masks.shape, masks[2][0, 0], masks.pixels(torch.tensor([5]))
        (torch.Size([10, 4, 6]), tensor(True), tensor([True]))

    """

    dtype = torch.bool

    def __init__(self, read: Callable[[int], Tensor], shape: tuple[int, int, int]) -> None:
        self._bytes = PhotoStack(lambda i: read(i)[..., None].to(torch.uint8), (*shape, 1))

    @property
    def shape(self) -> torch.Size:
        """(n, height, width)."""
        return self._bytes.shape[:3]

    @property
    def device(self) -> torch.device:
        """The device that stores the masks."""
        return self._bytes.device

    def __len__(self) -> int:
        return len(self._bytes)

    def __iter__(self) -> Iterator[Tensor]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: Index) -> Tensor:
        return self._bytes.decoded(index)[..., 0].view(torch.bool)

    def pixels(self, index: Tensor) -> Tensor:
        """Return the values (m,) of the pixels with the linear indices (m,) into (n, height, width)."""
        return self._bytes.decoded_pixels(index)[:, 0].view(torch.bool)

    def chosen(self, indices: Sequence[int]) -> MaskStack:
        """Return the masks at ``indices``, in that order, without decoding any."""
        return self._around(self._bytes.chosen(indices))

    def to(self, device: torch.device | str) -> MaskStack:
        """Decode all masks and return them on ``device``."""
        return self._around(self._bytes.to(device))

    @staticmethod
    def _around(stored: PhotoStack) -> MaskStack:
        masks = object.__new__(MaskStack)
        masks._bytes = stored
        return masks
