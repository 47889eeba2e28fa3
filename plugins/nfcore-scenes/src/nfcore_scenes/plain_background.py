"""Renderings without alpha: an object on a background of one colour."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore_scenes.capture import Capture

#: Colours that differ by less, in [0, 1], are one: JPEG is noisy.
_ALIKE = 0.03
#: The share of the photos' borders that has the background's colour.
_MOST_OF_BORDER = 0.6


def object_on_plain_background(capture: Capture) -> tuple[list[Tensor], tuple[float, float, float]] | None:
    """Return the rectangle of each training photo's object, (h, w) 0 or 1, and the background's RGB in [0, 1].

    Rectangles, as parts of the object may have the background's colour. None where the photos' borders are not of
    one colour: they show a scene with a background.
    """
    photos = [torch.from_numpy(photo[..., :3]).float() / 255 for photo in capture.previews("train")]
    borders = torch.cat([_border(photo) for photo in photos])
    colour = borders.median(0).values
    plain = ((borders - colour).abs().amax(1) < _ALIKE).float().mean()
    if plain < _MOST_OF_BORDER:
        return None
    shown = [(photo - colour).abs().amax(-1) >= _ALIKE for photo in photos]
    if not any(bool(pixels.any()) for pixels in shown):
        return None
    red, green, blue = colour.tolist()
    return [_rectangle(pixels) for pixels in shown], (red, green, blue)


def _rectangle(shown: Tensor) -> Tensor:
    rows, columns = shown.any(1).nonzero()[:, 0], shown.any(0).nonzero()[:, 0]
    filled = torch.zeros(shown.shape)
    if len(rows):
        filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
    return filled


def _border(photo: Tensor) -> Tensor:
    return torch.cat([photo[0], photo[-1], photo[1:-1, 0], photo[1:-1, -1]])
