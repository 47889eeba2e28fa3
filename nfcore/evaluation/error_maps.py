"""Error maps: colours that show where a rendering differs from the photo."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: The error of the last colour: mean absolute difference of R, G and B.
GREATEST_ERROR = 0.25

#: RGB from no error to the greatest; dark to light, so that it can be read without colour vision.
COLOURS = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))


@torch.no_grad()
def error_map(image: Tensor, truth: Tensor, ignored: Tensor | None = None) -> NDArray[np.uint8]:
    """Return the error of ``image`` against ``truth``, both (h, w, 3) in [0, 1], as colours (h, w, 3).

    Pixels that are ``ignored``, (1, h, w) bool, have no error.

    >>> error_map(torch.zeros(1, 2, 3), torch.tensor([[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])).tolist()
    [[[0, 0, 4], [252, 253, 191]]]
    """
    difference = (image.clamp(0, 1) - truth).abs().mean(-1).cpu()
    error = (difference if ignored is None else difference.masked_fill(ignored[0], 0)).numpy()
    place = np.clip(error / GREATEST_ERROR, 0, 1) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    channels = np.array(COLOURS, np.float32).T
    return np.stack([np.interp(place, steps, channel) for channel in channels], -1).round().astype(np.uint8)
