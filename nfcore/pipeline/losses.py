"""Losses between rendered images and what they should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional as F

#: The losses by name.
LossName: TypeAlias = Literal["mse", "charbonnier", "l1"]

# As in LapSRN's code; about a quarter of an 8-bit step: errors below it count quadratically.
_CHARBONNIER_EPSILON = 1e-3


def charbonnier(image: Tensor, truth: Tensor) -> Tensor:
    """Return the mean of sqrt(error^2 + 1e-6), L1 but smooth at zero (Lai et al. 2017, section 3.2)."""
    return ((image - truth).square() + _CHARBONNIER_EPSILON**2).sqrt().mean()


#: From (image, truth), both (n, 3, h, w) float32 in [0, 1], to a scalar that gradients flow from.
LOSSES: dict[LossName, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "charbonnier": charbonnier,
    "l1": F.l1_loss,
}
