"""Colours on the solids of the procedural scene, from stripes as wide as a solid down to grains and sprinkles.

Every texture takes points (3, n) on a solid's surface, in the solid's own frame, and returns linear RGB (3, n).
Random details come from small tables with a fixed seed, so they are always the same.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_generator = torch.Generator().manual_seed(7)
_NOISE = torch.rand(64, 64, generator=_generator)
_SPRINKLES = torch.rand(4, 64, 64, generator=_generator)


def _colours(*codes: str) -> Tensor:
    """Return linear RGB (3, k) of sRGB codes such as ``"c0ffee"``."""
    srgb = torch.tensor([[int(code[i : i + 2], 16) / 255 for code in codes] for i in (0, 2, 4)])
    return srgb**2.2


_BALL = _colours("f7f4ee", "e0392f", "f7f4ee", "2f6fd0", "f7f4ee", "f3b61f")
_DIE, _PIP = _colours("fbfaf5"), _colours("20242b")
_DOUGH, _CRUMB, _ICING = _colours("c98b4a"), _colours("edcf9c"), _colours("f2789f")
_SPRINKLE = _colours("ffffff", "ffd84d", "4fc3e8", "7bd36b", "8a4fd0")
_WOOD, _RING, _BARK = _colours("e2bf8d"), _colours("b98650"), _colours("5e4030")

#: For each face of a die (-x, +x, -y, +y, -z, +z), which cells of a 3x3 grid have a pip; opposite faces add to 7.
_PIPS = torch.tensor(
    [
        [[1, 0, 0], [0, 0, 0], [0, 0, 1]],
        [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 1], [0, 0, 0], [1, 0, 1]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[1, 0, 1], [1, 0, 1], [1, 0, 1]],
    ],
    dtype=torch.bool,
)


def beach_ball(points: Tensor, radius: float) -> Tensor:
    """Six stripes from pole to pole, and a white cap on each pole."""
    stripe = (6 * _turns(torch.atan2(points[1], points[0]))).floor().long() % 6
    cap = points[2].abs() > 0.93 * radius
    return torch.where(cap, _BALL[:, :1], _BALL[:, stripe])


def die(points: Tensor, half_side: float) -> Tensor:
    """Round pips on the six faces."""
    axis = points.abs().argmax(0)
    face = 2 * axis + (points.gather(0, axis[None])[0] > 0)
    on_face = torch.stack([(axis + 1) % 3, (axis + 2) % 3])
    grid = points.gather(0, on_face) / (0.52 * half_side)
    cell = grid.round().clamp(-1, 1)
    row, column = (cell + 1).long()
    pip = _PIPS[face, row, column] & ((grid - cell).norm(dim=0) < 0.36)
    return torch.where(pip, _PIP, _DIE)


def doughnut(points: Tensor, radius: float, tube: float) -> Tensor:
    """Dough with a pale belt, icing that runs down in waves, sprinkles on it."""
    around = torch.atan2(points[1], points[0])
    height = points[2] / tube
    belt = torch.exp(-((height / 0.22) ** 2))
    dough = (_DOUGH + (_CRUMB - _DOUGH) * belt) * (0.8 + 0.3 * _noise(_turns(around) * 64, 30 * points[2]))
    edge = 0.12 + 0.16 * torch.sin(5 * around) + 0.09 * torch.sin(8 * around + 1)
    iced = torch.where(_sprinkled(points, around, radius, tube), _sprinkle_colours(points, around, radius), _ICING)
    return torch.where(height > edge, iced, dough)


def log_slice(points: Tensor, radius: float) -> Tensor:
    """A slice of a tree: year rings and fine rays of grain on top, bark on the side."""
    around = torch.atan2(points[1], points[0])
    outward = torch.hypot(points[0], points[1])
    wobble = 0.03 * torch.sin(3 * around + 0.5) + 0.014 * torch.sin(7 * around)
    ring = 0.5 + 0.5 * torch.cos(2 * math.pi * outward * (1 + wobble) / 0.13)
    grain = _noise(_turns(around) * 192, 3 * outward)
    wood = _WOOD + (_RING - _WOOD) * (0.75 * ring**3 + 0.25 * grain)
    bark = _BARK * (0.6 + 0.9 * _noise(_turns(around) * 128, 9 * points[2]))
    return torch.where(outward * (1 + 0.3 * wobble) > radius - 0.045, bark, wood)


def _turns(angle: Tensor) -> Tensor:
    return angle / (2 * math.pi)


def _noise(x: Tensor, y: Tensor) -> Tensor:
    """Return smooth value noise in [0, 1] that varies over one unit of ``x`` and ``y`` and repeats after 64."""
    left, low = x.floor(), y.floor()
    u, v = _smooth(x - left), _smooth(y - low)
    i, j = left.long(), low.long()
    below = torch.lerp(_NOISE[i % 64, j % 64], _NOISE[(i + 1) % 64, j % 64], u)
    above = torch.lerp(_NOISE[i % 64, (j + 1) % 64], _NOISE[(i + 1) % 64, (j + 1) % 64], u)
    return torch.lerp(below, above, v)


def _smooth(x: Tensor) -> Tensor:
    return x * x * (3 - 2 * x)


#: Cells that hold one sprinkle each: how many around the ring, and how many around the tube.
_CELLS = (19, 9)


def _sprinkle_cell(points: Tensor, around: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Return the doughnut's surface coordinates in cells (2, n), and each cell's table index (2, n)."""
    over = torch.atan2(points[2], torch.hypot(points[0], points[1]) - radius)
    cells = torch.stack([_turns(around) * _CELLS[0], _turns(over) * _CELLS[1]])
    return cells, cells.floor().long() % 64


def _sprinkled(points: Tensor, around: Tensor, radius: float, tube: float) -> Tensor:
    """Return the mask of sprinkles (n,): a short rod in most cells, rotated and shifted at random."""
    cells, (i, j) = _sprinkle_cell(points, around, radius)
    turn, right, up, present = _SPRINKLES[:, i, j]
    outward = torch.hypot(points[0], points[1])
    across = (cells[0] - cells[0].floor() - 0.35 - 0.3 * right) * (2 * math.pi * outward / _CELLS[0])
    along = (cells[1] - cells[1].floor() - 0.35 - 0.3 * up) * (2 * math.pi * tube / _CELLS[1])
    angle = math.pi * turn
    lengthwise = across * angle.cos() + along * angle.sin()
    sideways = along * angle.cos() - across * angle.sin()
    distance = torch.hypot(lengthwise - lengthwise.clamp(-0.028, 0.028), sideways)
    return torch.logical_and(distance < 0.014, present > 0.2)


def _sprinkle_colours(points: Tensor, around: Tensor, radius: float) -> Tensor:
    _, (i, j) = _sprinkle_cell(points, around, radius)
    return _SPRINKLE[:, (_SPRINKLES[3, i, j] * 997).long() % _SPRINKLE.shape[1]]
