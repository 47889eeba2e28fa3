"""The loss of MobileR2L, and of R2L before it: mean squared error."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

import nfcore


class MeanSquaredError(nfcore.Loss):
    """The mean of squared differences over all pixels and channels, which MobileR2L and R2L minimise.

    >>> import torch
    >>> loss = MeanSquaredError(MeanSquaredError.Options())
    >>> loss(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5))
    tensor(0.2500)

    """

    def forward(
        self, image: Tensor, target: Tensor, opacity: Tensor | None = None, depth: Tensor | None = None
    ) -> Tensor:
        """Return the mean squared error; see ``nfcore.Loss``."""
        return F.mse_loss(image, target)
