"""Masks of photos that are decoded when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nfcore.scene.photo_stack import ChannelStack, PhotoStack


class MaskStack(ChannelStack):
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

    dtype, channel = torch.bool, 0

    def __init__(self, read: Callable[[int], Tensor], shape: tuple[int, int, int]) -> None:
        super().__init__(PhotoStack(lambda i: read(i)[..., None].to(torch.uint8), (*shape, 1)))

    @staticmethod
    def _values(stored: Tensor) -> Tensor:
        return stored.view(torch.bool)

    def chosen(self, indices: Sequence[int]) -> MaskStack:
        """Return the masks at ``indices``, in that order, without decoding any."""
        return self._of(self._photos.chosen(indices))
