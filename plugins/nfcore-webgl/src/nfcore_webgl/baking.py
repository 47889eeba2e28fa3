"""From a fitted teacher to an archive: code in 8 bits, find out what images show, leave out and round the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import FittedTeacher
from nfcore_webgl.archive import Archive, archive, rounded
from nfcore_webgl.cells import voxels_of
from nfcore_webgl.coding import code
from nfcore_webgl.evaluator import Evaluator
from nfcore_webgl.header import describe
from nfcore_webgl.importance import importance, some_rays, visited

#: A code that no view shows is rounded as if it changed pixels by this share of what the most visible colours do.
_UNSEEN = 3e-3
#: Opacity grows with the exponential of a raw density, so that it may not be off by more codes than these.
_MOST_OF_DENSITY = 3
#: About what a ray's samples of so small a weight that they are not looked up add to its colour.
_NOT_LOOKED_UP = 2.5e-3
#: Where 8 bits alone are farther from the teacher than required, rounding may add this share to their error.
_MORE = 0.3
#: Views on whose rays the result is compared with the teacher, and how often rounding is corrected by that.
_COMPARED, _ROUNDS = 24, 4


@dataclass(frozen=True)
class Baked:
    """An archive, and what became of the field on the way.

    Args:
        archive: what is written.
        voxels: (x - 1, y - 1, z - 1) bool, the occupied ones.
        cells: number of macro cells that may hold something, before those were left out that no view shows.
        psnr: to the teacher, in the view where it is least, dB.
        unrounded: the same with all 8 bits.

    """

    archive: Archive
    voxels: Tensor
    cells: int
    psnr: float
    unrounded: float


def bake(model: FittedTeacher, prune: float, psnr: float | None, views: int) -> Baked:
    """Return the archive of ``model`` whose codes are rounded as far as ``psnr`` allows.

    Args:
        model: the teacher.
        prune: about what the macro cells that are left out may add to a ray.
        psnr: to the teacher, in each of some views, that is to be kept, dB; None to round nothing. Where 8 bits
            alone have less, rounding costs another 1.1 dB.
        views: number of views next to the reference cameras' that decide what images show.

    Raises:
        UserError: the teacher can't be baked.

    """
    baked = model.baked()
    field, cameras = code(baked), visited(model, views)
    header = describe(baked, field, model.cameras.width, model.cameras.height)
    everything = Evaluator(header, field, baked.occupied)
    seen = importance(everything, cameras)
    visible = everything.cells & (seen.cells * seen.depth >= prune)
    voxels = baked.occupied & voxels_of(visible, baked.shape)
    header = header.with_least_weight(_NOT_LOOKED_UP / seen.depth)
    evaluator = Evaluator(header, field, voxels)
    some = torch.linspace(0, len(cameras) - 1, min(_COMPARED, len(cameras))).long()
    rays = list(some_rays(evaluator, cameras[some], torch.Generator().manual_seed(1)))
    shown = [model.teacher.render(view).rgb.cpu() for view in rays]

    @torch.no_grad()
    def error(tolerance: Tensor) -> float:
        coded = evaluator.with_codes(rounded(field, voxels, tolerance))
        pairs = zip(rays, shown, strict=True)
        return max(float((coded.colours(view) - right).square().mean()) for view, right in pairs)

    exact = torch.zeros_like(field.codes, dtype=torch.int64)
    without = error(exact)
    chosen = None
    if psnr is not None:
        chosen = _coarsest(seen.codes, error, without, max(10 ** (-psnr / 10), (1 + _MORE) * without))
    tolerance, least = chosen or (exact, without)
    made = archive(header, field, voxels, tolerance)
    return Baked(made, voxels, int(everything.cells.sum()), _decibels(least), _decibels(without))


def _coarsest(
    sensitivity: Tensor, error: Callable[[Tensor], float], without: float, allowed: float
) -> tuple[Tensor, float] | None:
    """Return the greatest tolerances found whose error is ``allowed``, and that; None if none was found.

    Bits are best spent where all codes change pixels by the same amount. Errors grow with its square at first.
    """
    room = allowed - without
    floor = _UNSEEN * float(sensitivity[1:, 1:4].flatten().sort().values[-len(sensitivity) // 8])
    step = math.sqrt(3 * room / max(1, int((sensitivity > floor).sum())))
    best: tuple[Tensor, float] | None = None
    for attempt in range(3 * _ROUNDS):
        if attempt >= _ROUNDS and best is not None:
            break
        tolerance = (step / (sensitivity + floor)).floor().clamp(max=255).long()
        tolerance[:, 0].clamp_(max=_MOST_OF_DENSITY)
        tolerance[0] = 0  # the row of vertices that are not stored
        found = error(tolerance)
        if found <= allowed and (best is None or found > best[1]):
            best = tolerance, found
        factor = math.sqrt(0.97 * room / max(found - without, 1e-3 * room))
        # Where most codes are off by as much as they may be, the error grows far slower than the step's square.
        step *= min(4.0, factor) if found <= allowed else max(0.25, min(0.7, factor))
    return best


def _decibels(error: float) -> float:
    return -10 * math.log10(max(error, 1e-12))
